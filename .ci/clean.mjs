// Removes what the TypeScript compiler has emitted beside the sources, and nothing else: a .js that names its
// source map, and whose .ts stands beside it or whose map says that it was made from one that is gone.
// The same for .mjs and .mts.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))

for (const folder of include) clean(join(root, folder))

function clean(folder) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !['node_modules', 'data', 'fixtures'].includes(entry.name)) {
      clean(path)
    } else if (entry.isFile() && /\.m?js$/.test(entry.name) && isEmitted(path)) {
      rmSync(path)
    }
  }
  // The maps go last: until then they say what the others were made from.
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isFile() && /\.m?js\.map$/.test(entry.name) && isMapOfTypeScript(path)) rmSync(path)
  }
}

function isEmitted(path) {
  // A script that was written by hand may stand where another one was emitted before.
  if (!readFileSync(path, 'utf8').includes('\n//# sourceMappingURL=')) return false
  return existsSync(path.replace(/js$/, 'ts')) || isMapOfTypeScript(`${path}.map`)
}

function isMapOfTypeScript(path) {
  if (!existsSync(path)) return false
  try {
    const { sources } = JSON.parse(readFileSync(path, 'utf8'))
    return Array.isArray(sources) && sources.length === 1 && /\.m?ts$/.test(sources[0])
  } catch {
    // Not a source map: not ours to remove.
    return false
  }
}
