package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
)

// Changes a log at random, one change at a time, and asks everybody. The log has no file that its checkpoint does not need.
func changedLogs(folder string, _ *answering) error {
	fmt.Printf("provable log: %d changes from seed %d\n", *tamperings, *seed)
	log, err := makeLog(folder)
	if err != nil {
		return err
	}
	defer log.stop()
	if _, err := log.maker.ask("append 600"); err != nil {
		return err
	}
	if err := log.checkByAll(600); err != nil {
		return err
	}
	files, err := filesOf(log.folder)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(*seed))
	for i := range *tamperings {
		change := changes[random.Intn(len(changes))]
		what, err := change(random, files)
		if err != nil {
			return err
		}
		if what == "" {
			continue // it would have changed nothing
		}
		if err := log.everybodyRefuses(); err != nil {
			return fmt.Errorf("change %d, %s: %w", i, what, err)
		}
		if err := restore(files); err != nil {
			return err
		}
	}
	if err := log.checkByAll(600); err != nil {
		return err
	}
	_, err = log.maker.ask("open")
	return err
}

func (log *madeLog) everybodyRefuses() error {
	if _, err := checkFolder(log.folder, log.vkey); err == nil {
		return fmt.Errorf("golang.org/x/mod accepts it")
	}
	if err := log.checkByFsck(600); err == nil {
		return fmt.Errorf("Tessera's fsck accepts it")
	}
	if _, err := log.maker.ask("open"); err == nil {
		return fmt.Errorf("Fluxgate goes on with it")
	}
	return nil
}

// A file that can be changed, and its bytes as they were.
type file struct {
	path  string
	bytes []byte
}

func filesOf(folder string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(folder, func(path string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() || found.Name() == "log.vkey" {
			return err // the key is given to the verifiers from elsewhere
		}
		data, err := os.ReadFile(path)
		files = append(files, file{path, data})
		return err
	})
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	return files, err
}

func restore(files []file) error {
	for _, file := range files {
		if now, err := os.ReadFile(file.path); err == nil && bytes.Equal(now, file.bytes) {
			continue
		}
		if err := os.WriteFile(file.path, file.bytes, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Each makes one change and says which; "" if there was nothing to change.
var changes = []func(*rand.Rand, []file) (string, error){
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "a bit flipped", func(data []byte, at int) []byte {
			data[at] ^= 1 << random.Intn(8)
			return data
		})
	},
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "a byte replaced", func(data []byte, at int) []byte {
			data[at] += byte(1 + random.Intn(255))
			return data
		})
	},
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "a byte removed", func(data []byte, at int) []byte { return append(data[:at], data[at+1:]...) })
	},
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "a byte inserted", func(data []byte, at int) []byte {
			return append(data[:at], append([]byte{byte(random.Intn(256))}, data[at:]...)...)
		})
	},
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "cut", func(data []byte, at int) []byte { return data[:at] })
	},
	func(random *rand.Rand, files []file) (string, error) {
		return rewrite(random, files, "a part zeroed", func(data []byte, at int) []byte {
			clear(data[at:min(len(data), at+1+random.Intn(64))])
			return data
		})
	},
	func(random *rand.Rand, files []file) (string, error) {
		gone := files[random.Intn(len(files))]
		return gone.path + " removed", os.Remove(gone.path)
	},
	func(random *rand.Rand, files []file) (string, error) {
		one, other := files[random.Intn(len(files))], files[random.Intn(len(files))]
		if bytes.Equal(one.bytes, other.bytes) {
			return "", nil
		}
		if err := os.WriteFile(one.path, other.bytes, 0o644); err != nil {
			return "", err
		}
		return one.path + " exchanged with " + other.path, os.WriteFile(other.path, one.bytes, 0o644)
	},
}

func rewrite(random *rand.Rand, files []file, how string, change func(data []byte, at int) []byte) (string, error) {
	chosen := files[random.Intn(len(files))]
	at := random.Intn(len(chosen.bytes))
	changed := change(bytes.Clone(chosen.bytes), at)
	if bytes.Equal(changed, chosen.bytes) {
		return "", nil
	}
	return fmt.Sprintf("%s: %s at byte %d", chosen.path, how, at), os.WriteFile(chosen.path, changed, 0o644)
}
