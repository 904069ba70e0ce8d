package gomsg

import (
	"regexp"
	"strconv"
	"strings"
)

// maxAddresses: more than any cluster has nodes are a mistake.
const maxAddresses = 64

// A host name, an IPv4 address or a bracketed IPv6 address, and a port.
var addressPattern = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%A-Za-z0-9]+\]):(\d{1,5})$`)

// parseAddresses splits a list of `host:port` at its commas. Empty = DefaultAddress.
func parseAddresses(list string) ([]string, error) {
	if list == "" {
		list = DefaultAddress
	}
	addresses := strings.Split(list, ",")
	if len(addresses) > maxAddresses {
		return nil, invalid("connect", "address", "give at most %d, not %d", maxAddresses, len(addresses))
	}
	for i, address := range addresses {
		addresses[i] = strings.TrimSpace(address)
		if !isAddress(addresses[i]) {
			return nil, invalid("connect", "address", "%q is none: give host:port", address)
		}
	}
	return addresses, nil
}

func isAddress(address string) bool {
	match := addressPattern.FindStringSubmatch(address)
	if match == nil {
		return false
	}
	port, err := strconv.Atoi(match[1])
	return err == nil && port >= 1 && port <= 65_535
}
