package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func entry(index int64) []byte { return fmt.Appendf(nil, `{"record":%d}`, index) }

// The checkpoint, as a note and as what it signs.
func readCheckpoint(folder, vkeyFile string) (string, tlog.Tree, error) {
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return "", tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	// x/mod parses the three lines of a checkpoint only with its own first line in place of the origin.
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != verifier.Name() {
		return "", tlog.Tree{}, fmt.Errorf("origin %q, key %q", origin, verifier.Name())
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	return string(text), tree, err
}

// The path of https://c2sp.org/tlog-tiles for a tile of x/mod: "tile/8/0/001" is "tile/0/001".
func tilePath(folder string, tile tlog.Tile) string {
	return filepath.Join(folder, "tile", strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight)))
}

// A full file stands for partial ones of the same tile.
func readWhole(folder string, tile tlog.Tile, path func(string, tlog.Tile) string) ([]byte, error) {
	data, err := os.ReadFile(path(folder, tile))
	if err != nil && tile.W < 1<<tileHeight {
		tile.W = 1 << tileHeight
		if full, fullErr := os.ReadFile(path(folder, tile)); fullErr == nil {
			return full, nil
		}
	}
	return data, err
}

func bundlePath(folder string, tile tlog.Tile) string {
	return strings.Replace(tilePath(folder, tile), filepath.Join(folder, "tile", "0"), filepath.Join(folder, "tile", "entries"), 1)
}

// The tiles of a folder for x/mod's proofs, which it checks against the root on the way.
type tiles struct {
	folder string
	tree   tlog.Tree
}

func (t tiles) hashes() tlog.HashReader { return tlog.TileHashReader(t.tree, t) }
func (t tiles) Height() int             { return tileHeight }
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := readWhole(t.folder, tile, tilePath)
		if err != nil {
			return nil, err
		}
		if size := tile.W * tlog.HashSize; len(data) > size {
			data = data[:size]
		}
		all = append(all, data)
	}
	return all, nil
}
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// All hashes of a tree, as x/mod computes them.
type storage []tlog.Hash

func (s *storage) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		hashes = append(hashes, (*s)[index])
	}
	return hashes, nil
}

// Reads everything: the checkpoint's signature, the entries of every bundle, whose root must be the signed one, and every byte of every
// tile, which must be what x/mod makes of the entries.
func checkFolder(folder, vkeyFile string) (tlog.Tree, error) {
	_, tree, err := readCheckpoint(folder, vkeyFile)
	if err != nil {
		return tree, err
	}
	hashes := make(storage, 0, 2*tree.N)
	all := tlog.NewTiles(tileHeight, 0, tree.N)
	for _, tile := range all {
		if tile.L != 0 {
			continue
		}
		bundle, err := readWhole(folder, tile, bundlePath)
		if err != nil {
			return tree, err
		}
		entries, err := entriesOf(bundle)
		if err != nil || len(entries) < tile.W {
			return tree, fmt.Errorf("%s does not hold %d entries: %v", bundlePath(folder, tile), tile.W, err)
		}
		for i, text := range entries[:tile.W] {
			index := tile.N<<tileHeight + int64(i)
			if !bytes.Equal(text, entry(index)) {
				return tree, fmt.Errorf("entry %d is %q", index, text)
			}
			stored, err := tlog.StoredHashes(index, text, &hashes)
			if err != nil {
				return tree, err
			}
			hashes = append(hashes, stored...)
		}
	}
	root, err := tlog.TreeHash(tree.N, &hashes)
	if err != nil {
		return tree, err
	}
	if root != tree.Hash {
		return tree, fmt.Errorf("the entries give the root %v, the checkpoint signs %v", root, tree.Hash)
	}
	for _, tile := range all {
		expected, err := tlog.ReadTileData(tile, &hashes)
		if err != nil {
			return tree, err
		}
		data, err := readWhole(folder, tile, tilePath)
		if err != nil {
			return tree, err
		}
		if !bytes.Equal(data, expected) {
			return tree, fmt.Errorf("%s is not what the entries give", tilePath(folder, tile))
		}
	}
	return tree, nil
}

func entriesOf(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, fmt.Errorf("a length is cut")
		}
		length := int(bundle[0])<<8 | int(bundle[1])
		if len(bundle) < 2+length {
			return nil, fmt.Errorf("an entry is cut")
		}
		entries = append(entries, bundle[2:2+length])
		bundle = bundle[2+length:]
	}
	return entries, nil
}
