package lab

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// GitSource is a real Git repository together with the part of Flux's source-controller that matters here: each commit is
// packed, served over HTTP on loopback and announced in the status of the GitRepository.
type GitSource struct {
	admin      *Client
	repository string
	listener   net.Listener

	mutex    sync.Mutex
	archives map[string][]byte // by URL path
}

const gitRepository = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/apps"

func startGitSource(admin *Client, folder string) (*GitSource, error) {
	source := &GitSource{admin: admin, repository: filepath.Join(folder, "repository"), archives: map[string][]byte{}}
	if err := os.Mkdir(source.repository, 0o700); err != nil {
		return nil, err
	}
	if _, err := source.git("init", "--quiet", "--initial-branch=main"); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	source.listener = listener
	go func() { _ = http.Serve(listener, source) }()
	return source, nil
}

func (source *GitSource) stop() { source.listener.Close() }

// Write puts a file into the working tree; Push makes it count.
func (source *GitSource) Write(name, content string) error {
	return os.WriteFile(filepath.Join(source.repository, name), []byte(content), 0o600)
}

// Replace edits a file; it is an error if `old` is not there exactly once.
func (source *GitSource) Replace(name, old, new string) error {
	content, err := os.ReadFile(filepath.Join(source.repository, name))
	if err != nil {
		return err
	}
	if count := strings.Count(string(content), old); count != 1 {
		return fmt.Errorf("%s holds %q %d times, not once", name, old, count)
	}
	return source.Write(name, strings.Replace(string(content), old, new, 1))
}

// Remove deletes files from the working tree.
func (source *GitSource) Remove(names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(source.repository, name)); err != nil {
			return err
		}
	}
	return nil
}

// Push commits the working tree, publishes it as source-controller would and returns the revision that Flux will report.
func (source *GitSource) Push(message string) (revision string, err error) {
	if _, err := source.git("add", "--all"); err != nil {
		return "", err
	}
	if _, err := source.git("-c", "user.name=Lab", "-c", "user.email=lab@example.com", "-c", "commit.gpgsign=false",
		"commit", "--quiet", "--allow-empty", "--message", message); err != nil {
		return "", err
	}
	head, err := source.git("rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(head))
	tar, err := source.git("archive", "--format=tar", commit)
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	packer := gzip.NewWriter(&archive)
	if _, err := packer.Write(tar); err != nil {
		return "", err
	}
	if err := packer.Close(); err != nil {
		return "", err
	}

	path := "gitrepository/flux-system/apps/" + commit + ".tar.gz"
	source.mutex.Lock()
	source.archives["/"+path] = archive.Bytes()
	source.mutex.Unlock()

	revision = "main@sha1:" + commit
	return revision, source.admin.Patch(gitRepository+"/status", Object{"status": Object{
		"observedGeneration": 1,
		"artifact": Object{
			"url":            "http://" + source.listener.Addr().String() + "/" + path,
			"path":           path,
			"revision":       revision,
			"digest":         fmt.Sprintf("sha256:%x", sha256.Sum256(archive.Bytes())),
			"size":           archive.Len(),
			"lastUpdateTime": now(),
		},
		"conditions": []Object{{
			"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1,
			"lastTransitionTime": now(), "message": "stored artifact for revision '" + revision + "'"}},
	}})
}

func (source *GitSource) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	source.mutex.Lock()
	archive, found := source.archives[request.URL.Path]
	source.mutex.Unlock()
	if !found {
		http.NotFound(response, request)
		return
	}
	response.Header().Set("Content-Type", "application/gzip")
	_, _ = response.Write(archive)
}

func (source *GitSource) git(arguments ...string) ([]byte, error) {
	command := exec.Command("git", append([]string{"-C", source.repository}, arguments...)...)
	// The developer's own configuration (hooks, signing, templates) must not decide whether a test passes.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + source.repository, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}
	var errors bytes.Buffer
	command.Stderr = &errors
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", arguments[0], err, errors.String())
	}
	return output, nil
}
