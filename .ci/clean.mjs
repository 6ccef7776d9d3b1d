// Removes only the files that the TypeScript compiler has emitted beside the sources. A .js file was emitted if it
// names a source map, and its .ts file is beside it or the map says that it was compiled from a .ts file.
// The same applies to .mjs and .mts.
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
  // Remove the maps last: they are needed to recognize the other files.
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isFile() && /\.m?js\.map$/.test(entry.name) && isMapOfTypeScript(path)) rmSync(path)
  }
}

function isEmitted(path) {
  // A script written by hand may have replaced an emitted one.
  if (!readFileSync(path, 'utf8').includes('\n//# sourceMappingURL=')) return false
  return existsSync(path.replace(/js$/, 'ts')) || isMapOfTypeScript(`${path}.map`)
}

function isMapOfTypeScript(path) {
  if (!existsSync(path)) return false
  try {
    const { sources } = JSON.parse(readFileSync(path, 'utf8'))
    return Array.isArray(sources) && sources.length === 1 && /\.m?ts$/.test(sources[0])
  } catch {
    // Not a source map: keep it.
    return false
  }
}
