// Checks the imports of a project against the rules in layers.mjs, finds import cycles, and counts the files of
// each folder:
//     node .ci/check-layers.mjs [PROJECT]
// The default is this project. Prints one line for each violation. Exits with 1 if it found a violation or no
// TypeScript files.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FOLDERS, MAX_FILES, PURE_PACKAGES, ROLES } from './layers.mjs'

const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)))
/** `from 'x'`, `import 'x'` and `import('x')`, including type-only imports. */
const IMPORT = /(?<![.\w])(?:from\s*|import\s*\(?\s*)(['"`])([^'"`\n]+)\1/g

/** The place of a file in the layers, which decides what it may import. */
function placeOf(file) {
  const [top, name] = file.split('/')
  if (top === 'tests' || top === 'bench') return { kind: 'test' }
  if (top === 'config') return { kind: 'config' }
  const role = top === 'workers' ? name.replace(/\.mts$/, '') : undefined
  if (role !== undefined && ROLES.includes(role)) {
    return { kind: name.endsWith('.mts') ? 'entry' : 'role', role }
  }
  const rank = FOLDERS.indexOf(dirname(file))
  return rank < 0 ? { kind: 'unknown' } : { kind: 'folder', rank, isPure: top === 'helpers' }
}

/** The reason why one file may not import another, or undefined if it may. */
function refusal(from, to) {
  const [importer, imported] = [placeOf(from), placeOf(to)]
  if (importer.kind === 'test') return undefined
  if (imported.kind === 'test') return 'only tests and bench may import from tests and bench'
  if (importer.kind === 'unknown') return `${dirname(from)} is not listed in .ci/layers.mjs`
  if (imported.kind === 'unknown') return `${dirname(to)} is not listed in .ci/layers.mjs`
  if (imported.kind === 'entry') return 'an entry must not be imported'
  if (imported.kind === 'config') {
    return ['entry', 'config'].includes(importer.kind)
      ? undefined
      : 'only entries may import config'
  }
  if (imported.kind === 'role') {
    return imported.role === importer.role
      ? undefined
      : `only the role ${imported.role} may import from its folder`
  }
  if (importer.kind === 'config')
    return imported.isPure ? undefined : 'config may import only helpers'
  return importer.rank < imported.rank
    ? `${dirname(to)} is a higher layer than ${dirname(from)} in .ci/layers.mjs`
    : undefined
}

function sourceFiles(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

const files = ['helpers', 'facilities', 'config', 'workers', 'tests', 'bench'].flatMap(sourceFiles)
const known = new Set(files)
const imports = new Map(files.map((file) => [file, new Set()]))
const problems = []

for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8')
  const report = (index, problem) => {
    problems.push(`${file}:${text.slice(0, index).split('\n').length} ${problem}`)
  }
  for (const { index, 2: name } of text.matchAll(IMPORT)) {
    if (name.startsWith('.')) {
      const target = normalize(join(dirname(file), name)).replace(/js$/, 'ts')
      const why = refusal(file, target)
      if (why !== undefined) report(index, `imports ${target}: ${why}`)
      if (known.has(target)) imports.get(file).add(target)
    } else if (placeOf(file).isPure && !PURE_PACKAGES.includes(name)) {
      report(index, `imports ${name}: helpers may use only the packages that .ci/layers.mjs lists`)
    }
  }
}

/** Finds import cycles, including type-only imports, by a depth-first search. */
const finished = new Set()
function findCycles(file, path) {
  if (finished.has(file)) return
  const start = path.indexOf(file)
  if (start >= 0) {
    problems.push(`import cycle: ${[...path.slice(start), file].join(' -> ')}`)
    return
  }
  for (const next of imports.get(file)) findCycles(next, [...path, file])
  finished.add(file)
}
for (const file of files) findCycles(file, [])

const counts = new Map()
for (const folder of files.map(dirname)) counts.set(folder, (counts.get(folder) ?? 0) + 1)
for (const [folder, count] of counts) {
  if (count > MAX_FILES)
    problems.push(`${folder} contains ${count} files; the limit is ${MAX_FILES}`)
}

for (const problem of problems) console.log(problem)
if (files.length === 0) console.log(`No TypeScript files found in ${root}`)
else console.log(`Checked the imports of ${files.length} files: ${problems.length} problems.`)
process.exit(files.length > 0 && problems.length === 0 ? 0 : 1)
