package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// PolicyFolder is a folder of files as a kubelet mounts a ConfigMap: each file is a link through `..data`, which is swapped from
// one folder to the next by a rename (kubernetes pkg/volume/util/atomic_writer.go).
type PolicyFolder struct {
	Path string

	generation int
	current    map[string]string
}

// NewPolicyFolder makes one with these files, by name.
func (lab *Lab) NewPolicyFolder(name string, files map[string]string) (*PolicyFolder, error) {
	folder := &PolicyFolder{Path: filepath.Join(lab.Folder, name+"-policies")}
	if err := os.Mkdir(folder.Path, 0o700); err != nil {
		return nil, err
	}
	return folder, folder.Replace(files)
}

// Replace swaps all files at once, in the steps and the order of a kubelet.
func (folder *PolicyFolder) Replace(files map[string]string) error {
	at := func(name string) string { return filepath.Join(folder.Path, name) }
	before := fmt.Sprintf("..generation_%d", folder.generation)
	folder.generation++
	next := fmt.Sprintf("..generation_%d", folder.generation)
	if err := os.Mkdir(at(next), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(at(next), name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.Symlink(next, at("..data_tmp")); err != nil {
		return err
	}
	if err := os.Rename(at("..data_tmp"), at("..data")); err != nil {
		return err
	}
	for name := range files {
		if _, known := folder.current[name]; known {
			continue
		}
		if err := os.Symlink(filepath.Join("..data", name), at(name)); err != nil {
			return err
		}
	}
	for name := range folder.current {
		if _, stays := files[name]; stays {
			continue
		}
		if err := os.Remove(at(name)); err != nil {
			return err
		}
	}
	folder.current = files
	return os.RemoveAll(at(before))
}
