// Checks checkpoints and inclusion proofs with Sigstore's own verifier, internal modules of @sigstore/verify: a case a line on standard
// input, {"checkpoint": NOTE, "vkey": TEXT, "index": N, "hashes": [BASE64], "leaf": BASE64}, "ok" or "no TEXT" a line on standard output.
// NODE_MODULES is the folder of the packages.
'use strict';
const crypto = require('crypto');
const path = require('path');
const readline = require('readline');

// The packages do not export these files, so they are named by path.
const tlog = path.join(process.env.NODE_MODULES, '@sigstore', 'verify', 'dist', 'tlog');
const { verifyCheckpoint } = require(path.join(tlog, 'checkpoint.js'));
const { verifyMerkleInclusion } = require(path.join(tlog, 'merkle.js'));

// NAME+ID+BASE64 of a type byte and an Ed25519 key, which node wants with this DER header.
const ED25519_HEADER = Buffer.from('302a300506032b6570032100', 'hex');

function instanceOf(vkey) {
  const [, name, id, key] = vkey.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/);
  const der = Buffer.concat([ED25519_HEADER, Buffer.from(key, 'base64').subarray(1)]);
  return { logID: Buffer.from(id, 'hex'), baseURL: name, publicKey: crypto.createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

function check(text) {
  const wanted = JSON.parse(text);
  const entry = {
    canonicalizedBody: Buffer.from(wanted.leaf, 'base64'),
    inclusionProof: {
      checkpoint: { envelope: wanted.checkpoint },
      hashes: wanted.hashes.map((hash) => Buffer.from(hash, 'base64')),
      logIndex: String(wanted.index),
    },
  };
  verifyMerkleInclusion(entry, verifyCheckpoint(entry, [instanceOf(wanted.vkey)]));
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  try {
    check(line);
    console.log('ok');
  } catch (error) {
    console.log('no ' + error.message.replaceAll('\n', ' '));
  }
});
