import { createHash } from 'node:crypto'
import { utimesSync } from 'node:fs'
import { chmod, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import {
  checkFile,
  type FileExpectation,
  RECHECKED_AFTER_MS,
} from '../../../../../facilities/models/cache/model-file-check.js'
import type { ModelManifest } from '../../../../../facilities/models/model-records.js'

const CONTENT = Buffer.from('GGUF and some weights')
const FLIPPED = Buffer.from('GGUF and sume weights')
/** In seconds. Whole ones can be set exactly. */
const CHANGED_AT = 1_700_000_000
const NOW = Date.UTC(2026, 10, 20)

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A file, and the manifest of it that was written when it was hashed. */
async function verifiedFile(t: Test): Promise<FileExpectation & { manifest: ModelManifest }> {
  const path = join(await t.tmp(), 'x.gguf')
  await writeFile(path, CONTENT)
  await utimes(path, CHANGED_AT, CHANGED_AT)
  const { size, mtimeMs, ino } = await stat(path)
  const manifest: ModelManifest = {
    version: 1,
    name: 'x',
    source: './x.gguf',
    kind: 'chat',
    licence: null,
    quantization: null,
    contextTokens: null,
    sha256: sha256(CONTENT),
    preparedAt: NOW,
    verifiedAt: NOW,
    file: { sizeBytes: size, modifiedAtMs: mtimeMs, inode: ino },
  }
  return { path, manifest, sha256: sha256(CONTENT), nowMs: NOW + 1000, alwaysHashedBytes: 10 }
}

/** Changes a byte and nothing that can be seen of the file, as a disk does that forgets. */
async function flipBit(path: string): Promise<void> {
  await writeFile(path, FLIPPED)
  await utimes(path, CHANGED_AT, CHANGED_AT)
}

test('should believe the manifest when a large file is the very one that was hashed', async (t) => {
  const file = await verifiedFile(t)
  const check = await checkFile(file, { onProgress: () => t.fail('it was read') })
  t.alike(check, {
    state: 'whole',
    stamp: file.manifest.file,
    sha256: sha256(CONTENT),
    hashedAt: undefined,
  })
})

test('should hash a large file again when anything about it may have changed', async (t) => {
  type Change = (
    file: FileExpectation & { manifest: ModelManifest },
  ) => Promise<Partial<FileExpectation>>
  const changes: [what: string, change: Change][] = [
    ['there is no manifest', async () => ({ manifest: undefined })],
    [
      'it was written',
      async ({ path }) => {
        await utimes(path, 1_000_000_000, 1_000_000_000)
        return {}
      },
    ],
    [
      'it is another file',
      async ({ path }) => {
        await writeFile(`${path}.new`, CONTENT)
        await utimes(`${path}.new`, CHANGED_AT, CHANGED_AT)
        await rename(`${path}.new`, path)
        return {}
      },
    ],
    ['it was hashed long ago', async () => ({ nowMs: NOW + RECHECKED_AFTER_MS })],
    ['the clock was set back', async () => ({ nowMs: NOW - 1 })],
    ['it is small', async () => ({ alwaysHashedBytes: CONTENT.length + 1 })],
  ]
  for (const [what, change] of changes) {
    const file = await verifiedFile(t)
    const expected = { ...file, ...(await change(file)) }
    let wasRead = false
    const check = await checkFile(expected, {
      onProgress: ({ phase }) => {
        wasRead = phase === 'verifying'
      },
    })
    t.ok(wasRead && check.state === 'whole', what)
    if (check.state === 'whole') t.is(check.hashedAt, expected.nowMs, what)
  }
})

test('should hash a large file when another hash is asked for than was found', async (t) => {
  const file = await verifiedFile(t)
  const check = await checkFile({ ...file, sha256: sha256(FLIPPED) }, {})
  t.is(check.state, 'damaged')
})

test('should notice a flipped bit at once in a small file, and within a month in a large one', async (t) => {
  const small = { ...(await verifiedFile(t)), alwaysHashedBytes: 1000 }
  await flipBit(small.path)
  t.is((await checkFile(small, {})).state, 'damaged')
  const large = await verifiedFile(t)
  await flipBit(large.path)
  t.is((await checkFile(large, {})).state, 'whole')
  const later = { ...large, nowMs: NOW + RECHECKED_AFTER_MS }
  t.is((await checkFile(later, {})).state, 'damaged')
})

test('should say what is wrong when a file is not what it should be', async (t) => {
  const file = { ...(await verifiedFile(t)), manifest: undefined }
  const why = async (expected: FileExpectation) => {
    const check = await checkFile(expected, {})
    return check.state === 'damaged' ? check.why : check.state
  }
  t.is(await why(file), 'whole')
  t.is(await why({ ...file, sizeBytes: 5 }), 'has 21 bytes instead of 5')
  t.is(await why({ ...file, sha256: sha256(FLIPPED) }), 'does not have the right SHA-256')
  await writeFile(file.path, 'text')
  t.is(await why({ ...file, sha256: undefined }), 'is not a GGUF file')
  t.is(await why({ ...file, path: `${file.path}.none` }), 'absent')
  if (process.getuid?.() === 0) return
  await chmod(file.path, 0)
  t.ok((await why(file)).startsWith('cannot be read'))
})

test('should hash a file again the next time when it was changed while it was read', async (t) => {
  const file = { ...(await verifiedFile(t)), manifest: undefined, sha256: undefined }
  // Called between the reading and the second look at the file.
  const onProgress = () => utimesSync(file.path, 1, 1)
  const check = await checkFile(file, { onProgress })
  t.is(check.state === 'whole' && check.hashedAt, 0)
})
