{{- define "gomsg.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gomsg.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gomsg.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "gomsg.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "gomsg.headless" -}}
{{ include "gomsg.fullname" . }}-nodes
{{- end -}}

{{- define "gomsg.secretName" -}}
{{- default (include "gomsg.fullname" .) .Values.clusterSecret.existingSecret -}}
{{- end -}}

{{/* A probe's question. A kubelet has no client certificate: with those asked for, it can only see the port open. */}}
{{- define "gomsg.probe" -}}
{{- if and .root.Values.tls.secretName .root.Values.tls.clientCertificates -}}
tcpSocket:
  port: gomsg
{{- else -}}
httpGet:
  path: {{ .path }}
  port: gomsg
  scheme: {{ ternary "HTTPS" "HTTP" (not (empty .root.Values.tls.secretName)) }}
{{- end -}}
{{- end -}}
