import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { z } from 'zod'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PackageFiles } from '../../../helpers/models/model-package.js'
import type { ModelSource } from '../../../helpers/models/model-source.js'
import { fileStamp } from '../../files/file-stamp.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import type { CatalogModel, SourceFile } from './catalog.js'

/** The part of package.json that is used. */
const packageSchema = z.object({ version: z.string() })

/**
 * The folder of an installed npm package, searched where `import` searches. (Resolving a file of it would
 * fail unless the package exports that file.)
 *
 * @throws Error when it is not installed
 */
export function installedPackageFolder(packageName: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(packageName) ?? []
  const folder = folders
    .map((modules) => join(modules, packageName))
    .find((candidate) => existsSync(join(candidate, 'package.json')))
  if (folder === undefined) throw new Error(`Cannot find package '${packageName}'`)
  return folder
}

/**
 * The path of a file of an installed package.
 *
 * @param packageFolder finds the folder of a package, {@link installedPackageFolder} as a rule
 * @throws StarlingError MODEL_NOT_FOUND if the package is not installed or has no such file; MODEL_INVALID if
 *   another version is installed
 */
export async function installedPackageFile(
  source: ModelSource & { kind: 'package' },
  packageFolder: (packageName: string) => string,
): Promise<string> {
  const { packageName, version, path } = source
  const folder = folderOf(`file ${path}`, source, packageFolder)
  let installed: string
  try {
    installed = packageSchema.parse(
      JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')),
    ).version
  } catch (cause) {
    const what = `the npm package ${packageName} is damaged: install ${packageOf(source)} again`
    throw new StarlingError('MODEL_INVALID', what, { cause })
  }
  if (installed !== version) {
    throw new StarlingError(
      'MODEL_INVALID',
      `version ${installed} of the npm package ${packageName} is installed, not ${version}`,
    )
  }
  const file = join(folder, ...path.split('/'))
  if ((await fileStamp(file)) === undefined) {
    throw new StarlingError('MODEL_NOT_FOUND', `${packageOf(source)} has no file ${path}`)
  }
  return file
}

/**
 * Reads the files that a model is converted from, and checks each against the catalogue. Progress is of the
 * phase `verifying`.
 *
 * @param packageFolder finds the folder of a package, {@link installedPackageFolder} as a rule
 * @returns the files by their path in the package
 * @throws StarlingError MODEL_NOT_FOUND if the package is not installed, MODEL_INVALID if a file is missing
 *   or differs from the catalogue, CANCELLED
 */
export async function readPackageFiles(
  model: CatalogModel,
  packageFolder: (packageName: string) => string,
  options: PrepareOptions,
): Promise<PackageFiles> {
  const folder = folderOf(`model ${model.name}`, model.source, packageFolder)
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

function folderOf(
  what: string,
  source: PackageVersion,
  packageFolder: (packageName: string) => string,
): string {
  try {
    return packageFolder(source.packageName)
  } catch (cause) {
    throw new StarlingError(
      'MODEL_NOT_FOUND',
      `the ${what} comes with the npm package ${packageOf(source)}, which is not ` +
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
    // Checked first, so that a wrong file of any size is not read into memory.
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
      `or not version ${model.source.version}; install ${packageOf(model.source)} again`,
    { cause },
  )
}

type PackageVersion = CatalogModel['source']

function packageOf({ packageName, version }: PackageVersion): string {
  return `${packageName}@${version}`
}
