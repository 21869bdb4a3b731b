package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Programs that are given a port by flag cannot be told "any", so a free one is picked for them. It lies below the range
// the kernel hands to outgoing connections (32768 and up on Linux); otherwise one of the control plane's own clients could
// take it between our look and the program's start.
const (
	portFirst = 20000
	portLast  = 32000
)

var (
	portsMutex sync.Mutex
	portsGiven = map[int]bool{}
)

// FreePort returns a loopback port that nobody listens on and that was not returned before.
func FreePort() (int, error) {
	portsMutex.Lock()
	defer portsMutex.Unlock()
	for range 1000 {
		port := portFirst + rand.IntN(portLast-portFirst)
		if portsGiven[port] {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		listener.Close()
		portsGiven[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free loopback port between %d and %d", portFirst, portLast)
}

// freePorts fills every given port.
func freePorts(ports ...*int) error {
	for _, port := range ports {
		free, err := FreePort()
		if err != nil {
			return err
		}
		*port = free
	}
	return nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
