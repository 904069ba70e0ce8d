// Command validate-chart renders the Helm chart in several ways, as helm install would, and decodes every object
// strictly into Kubernetes' own types: a misspelt or misplaced field, or a value of the wrong type, is an error.
//
//	go run . ../kubernetes
package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// Each names the values that differ from the chart's own.
var variants = []struct {
	name   string
	values string
}{
	{"as it comes", ``},
	{"one node without a volume", `{replicas: 1, persistence: {enabled: false}, antiAffinity: none, topologySpreadKeys: [], podDisruptionBudget: {enabled: false}}`},
	{"TLS with client certificates", `{tls: {secretName: gomsg-tls, clientCertificates: true}, clusterSecret: {existingSecret: mine}}`},
	{"everything given", `{
		replicas: 5, fullnameOverride: bus, antiAffinity: soft, imagePullSecrets: [{name: registry}], priorityClassName: high,
		cluster: {bootstrap: false, nodeIds: {bus-2: bus-2b}}, clusterSecret: {value: 0123456789abcdef},
		env: {GOMSG_LOG_LEVEL: debug, GOMSG_MAX_STREAMS_PER_CONNECTION: 500}, tls: {secretName: bus-tls},
		service: {type: LoadBalancer, port: 443, annotations: {a: b}}, persistence: {size: 100Gi, storageClassName: fast},
		serviceAccount: {annotations: {a: b}}, podLabels: {team: bus}, nodeSelector: {disk: nvme},
		tolerations: [{key: bus, operator: Exists}], affinity: {nodeAffinity: {}}
	}`},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: validate-chart CHART")
		os.Exit(2)
	}
	loaded, err := loader.LoadDir(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, variant := range variants {
		kinds, err := validate(loaded, variant.values)
		if err != nil {
			fmt.Printf("%s: %v\n", variant.name, err)
			failed = true
			continue
		}
		fmt.Printf("%s: %s\n", variant.name, strings.Join(kinds, ", "))
	}
	if failed {
		os.Exit(1)
	}
}

func validate(loaded *chart.Chart, yaml string) ([]string, error) {
	given, err := chartutil.ReadValues([]byte(yaml))
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "gomsg", Namespace: "default", Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(loaded, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true, LintMode: false}.Render(loaded, values)
	if err != nil {
		return nil, err
	}
	decoder := strictDecoder()
	var kinds []string
	for file, text := range rendered {
		if path.Ext(file) != ".yaml" {
			continue
		}
		for _, document := range strings.Split(text, "\n---") {
			if strings.TrimSpace(document) == "" {
				continue
			}
			_, kind, err := decoder.Decode([]byte(document), nil, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			kinds = append(kinds, kind.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds, nil
}

func strictDecoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	utilruntime.Must(policyv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}
