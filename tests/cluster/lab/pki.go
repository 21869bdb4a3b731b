package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority signs certificates for one kind of trust. The lab has three, as a cluster has: one for servers, one for
// people and components, and one for the admission webhook (its `caBundle`).
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	PEM         []byte
}

// KeyPair is a certificate with its private key, both PEM.
type KeyPair struct {
	Certificate []byte
	Key         []byte
}

func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key, PEM: pemBlock("CERTIFICATE", der)}, nil
}

// Pair is the authority's own certificate and key, for a program that signs in its name.
func (authority *Authority) Pair() (KeyPair, error) {
	der, err := x509.MarshalPKCS8PrivateKey(authority.key)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Certificate: authority.PEM, Key: pemBlock("PRIVATE KEY", der)}, nil
}

// Server issues a certificate for loopback and the given DNS names.
func (authority *Authority) Server(name string, dnsNames ...string) (KeyPair, error) {
	return authority.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    append([]string{"localhost"}, dnsNames...),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// Client issues the certificate of a person or component: Kubernetes reads CN as the user and O as the groups.
func (authority *Authority) Client(user string, groups ...string) (KeyPair, error) {
	return authority.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (authority *Authority) issue(template *x509.Certificate) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	template.SerialNumber = serial()
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, authority.certificate, key.Public(), authority.key)
	if err != nil {
		return KeyPair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Certificate: pemBlock("CERTIFICATE", der), Key: pemBlock("PRIVATE KEY", keyDER)}, nil
}

// clientRequest is a request for the certificate of a person or component, in PEM.
func clientRequest(user string, groups ...string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: user, Organization: groups}}, key)
	return pemBlock("CERTIFICATE REQUEST", der), err
}

// serviceAccountKeys are the pair that signs and verifies service account tokens (RS256, as everywhere).
func serviceAccountKeys() (private, public []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), pemBlock("PUBLIC KEY", publicDER), nil
}

// Write puts the pair into `folder` as NAME.crt and NAME.key.
func (pair KeyPair) Write(folder, name string) (certificate, key string, err error) {
	certificate = filepath.Join(folder, name+".crt")
	key = filepath.Join(folder, name+".key")
	if err := os.WriteFile(certificate, pair.Certificate, 0o600); err != nil {
		return "", "", fmt.Errorf("certificate of %s: %w", name, err)
	}
	if err := os.WriteFile(key, pair.Key, 0o600); err != nil {
		return "", "", fmt.Errorf("key of %s: %w", name, err)
	}
	return certificate, key, nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the system has no randomness: nothing here can work
	}
	return number
}
