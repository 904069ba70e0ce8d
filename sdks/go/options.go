package gomsg

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Defaults of ConnectOptions.
const (
	// DefaultAddress is where a client connects when it is given no address.
	DefaultAddress = "localhost:9000"

	DefaultTimeout            = 30 * time.Second
	DefaultUnreachableTimeout = 10 * time.Second
	DefaultConnectTimeout     = 5 * time.Second
	DefaultCloseTimeout       = 5 * time.Second
	DefaultMaxInFlightCalls   = 4_096
	DefaultMaxInFlightBytes   = 32 << 20
	DefaultMaxWaitingCalls    = 65_536
	DefaultMaxWaitingBytes    = 64 << 20
	DefaultMaxRequestBytes    = 16<<20 - 1024
	DefaultMaxResponseBytes   = 64 << 20
	DefaultMaxCollected       = 100_000
	DefaultRetryDelay         = 25 * time.Millisecond
	DefaultMaxRetryDelay      = 2 * time.Second
	DefaultMaxSends           = 10
	DefaultKeepaliveInterval  = 3 * time.Second
	DefaultKeepaliveTimeout   = 2 * time.Second
)

// ConnectOptions says how a client connects and what it may hold. The zero of every field means its default.
type ConnectOptions struct {
	// Timeout of a call whose context has no deadline. Default 30 s.
	Timeout time.Duration
	// UnreachableTimeout is how long calls go on while no node can be reached; then they fail with UNREACHABLE.
	// Default 10 s.
	UnreachableTimeout time.Duration
	// ConnectTimeout is how long one try to connect may take. Default 5 s.
	ConnectTimeout time.Duration
	// CloseTimeout is how long Close waits for calls in flight and running handlers. Default 5 s.
	CloseTimeout time.Duration

	// TLS; nil = none. &gomsg.TLSOptions{} trusts the system's authorities.
	TLS *TLSOptions
	// Token is sent with every stream and call as `authorization: Bearer …`. Empty = none.
	Token string
	// TokenSource gives the token anew for every stream and call. Overrides Token.
	TokenSource func(ctx context.Context) (string, error)

	// MaxInFlightCalls is how many calls the nodes may have at once; more wait. Default 4,096.
	MaxInFlightCalls int
	// MaxInFlightBytes bounds the bytes of their requests, each with 256 bytes for its own sake. Default 32 MiB.
	MaxInFlightBytes int
	// MaxWaitingCalls is how many calls may wait; the next fails with OVERLOADED. Default 65,536.
	MaxWaitingCalls int
	// MaxWaitingBytes bounds the bytes of their requests, counted like those in flight. Default 64 MiB.
	MaxWaitingBytes int
	// MaxRequestBytes is the largest encoded request. Default 16 MiB less 1 KiB.
	MaxRequestBytes int
	// MaxResponseBytes is the largest message that a node may send. Default 64 MiB.
	MaxResponseBytes int
	// MaxCollected is the number of elements that a method collects from pages at most; beyond it fails with
	// RESULT_TOO_LARGE. Default 100,000.
	MaxCollected int

	// RetryDelay is the first wait before a try to connect again or to repeat a refused call; each next one doubles.
	// Default 25 ms.
	RetryDelay time.Duration
	// MaxRetryDelay is the longest such wait. Default 2 s.
	MaxRetryDelay time.Duration
	// MaxSends is how often one call is sent at most. Default 10.
	MaxSends int

	// KeepaliveInterval: a node that is to say something, as a call awaits its answer or a stream is open, and that was
	// silent for so long is probed. One that nothing is awaited from is not. Default 3 s.
	KeepaliveInterval time.Duration
	// KeepaliveTimeout: a node that stays silent so long after it was probed is given up: its calls and streams go on as
	// after a lost connection, at other nodes where there are some. Default 2 s.
	KeepaliveTimeout time.Duration

	// Hooks are told what the client does.
	Hooks Hooks
}

// TLSOptions says how a client speaks TLS.
type TLSOptions struct {
	// CA holds the authorities to trust, as PEM. Empty = the system's.
	CA []byte
	// Cert is the certificate chain of the client as PEM, where the server asks for one; needs Key.
	Cert []byte
	// Key is the private key of Cert, as PEM.
	Key []byte
	// ServerName is the name that the server's certificate must have. Empty = the host of the address.
	ServerName string
}

func (o ConnectOptions) checked() (ConnectOptions, error) {
	durations := []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"Timeout", &o.Timeout, DefaultTimeout},
		{"UnreachableTimeout", &o.UnreachableTimeout, DefaultUnreachableTimeout},
		{"ConnectTimeout", &o.ConnectTimeout, DefaultConnectTimeout},
		{"CloseTimeout", &o.CloseTimeout, DefaultCloseTimeout},
		{"RetryDelay", &o.RetryDelay, DefaultRetryDelay},
		{"MaxRetryDelay", &o.MaxRetryDelay, DefaultMaxRetryDelay},
		{"KeepaliveInterval", &o.KeepaliveInterval, DefaultKeepaliveInterval},
		{"KeepaliveTimeout", &o.KeepaliveTimeout, DefaultKeepaliveTimeout},
	}
	for _, field := range durations {
		if *field.value < 0 {
			return o, invalid("connect", field.name, "give a duration above 0, not %v", *field.value)
		}
		if *field.value == 0 {
			*field.value = field.or
		}
	}
	if !isPrintable(o.Token) { // Such as the end of a line, of a token that was read from a file.
		return o, invalid("connect", "Token", "it has characters that no header can carry")
	}
	numbers := []struct {
		name  string
		value *int
		or    int
	}{
		{"MaxInFlightCalls", &o.MaxInFlightCalls, DefaultMaxInFlightCalls},
		{"MaxInFlightBytes", &o.MaxInFlightBytes, DefaultMaxInFlightBytes},
		{"MaxWaitingCalls", &o.MaxWaitingCalls, DefaultMaxWaitingCalls},
		{"MaxWaitingBytes", &o.MaxWaitingBytes, DefaultMaxWaitingBytes},
		{"MaxRequestBytes", &o.MaxRequestBytes, DefaultMaxRequestBytes},
		{"MaxResponseBytes", &o.MaxResponseBytes, DefaultMaxResponseBytes},
		{"MaxCollected", &o.MaxCollected, DefaultMaxCollected},
		{"MaxSends", &o.MaxSends, DefaultMaxSends},
	}
	for _, field := range numbers {
		if *field.value < 0 {
			return o, invalid("connect", field.name, "give a number above 0, not %d", *field.value)
		}
		if *field.value == 0 {
			*field.value = field.or
		}
	}
	return o, nil
}

func (o *TLSOptions) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: o.ServerName, MinVersion: tls.VersionTLS12}
	if len(o.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, invalid("connect", "TLS.CA", "there is no certificate in it: give PEM")
		}
	}
	if len(o.Cert) > 0 || len(o.Key) > 0 {
		certificate, err := tls.X509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, invalid("connect", "TLS.Cert", "it does not fit TLS.Key: %v", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// isPrintable tells whether a header can carry a text.
func isPrintable(text string) bool {
	for _, char := range []byte(text) {
		if char < ' ' || char > '~' {
			return false
		}
	}
	return true
}
