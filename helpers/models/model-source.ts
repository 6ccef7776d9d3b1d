import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFetchable } from '../http/fetch-address.js'
import { hasExcessivePort, MAX_PORT } from '../upstream/server-address.js'

/** The origin of a model, in normal form. */
export type ModelSource =
  /** A model that Starling knows by name. */
  | { readonly kind: 'catalogue'; readonly model: string }
  /** A file of this machine: absolute, or beginning with `./` or `../`. */
  | { readonly kind: 'path'; readonly path: string }
  /** Absolute, normalised, without a fragment. */
  | { readonly kind: 'url'; readonly url: string }
  /** A file of a Hugging Face repository. */
  | {
      readonly kind: 'hub'
      readonly owner: string
      readonly repository: string
      /** A branch, a tag or a commit. */
      readonly revision: string
      /** In the repository, with forward slashes. */
      readonly path: string
    }
  /** A file of an installed npm package. */
  | {
      readonly kind: 'package'
      readonly packageName: string
      readonly version: string
      /** In the package, with forward slashes. */
      readonly path: string
    }

/** The source, or why the text is not one. */
export type SourceReading = { readonly source: ModelSource } | { readonly why: string }

const MAIN_REVISION = 'main'
const GGUF_ENDING = '.gguf'

const HUB = /^hf:([\w.-]+)\/([\w.-]+)(?:@([\w.-]+))?\/(.+)$/is
/** The characters that npm allows in names; versions as in https://semver.org, without ranges. */
const PACKAGE =
  /^npm:((?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*)@(\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)\/(.+)$/is
/** One of several files of a split model. */
const PART = /-\d{5}-of-(\d{5})\.gguf$/

/** Reads a source without its name and its hash. Never throws. */
export function readModelSource(text: string): SourceReading {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0].toLowerCase()
  switch (scheme) {
    case 'hf:':
      return readHub(text)
    case 'npm:':
      return readPackage(text)
    case 'file:':
      return readFileUrl(text)
    case 'http:':
    case 'https:':
      return readUrl(text)
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    return { why: `${scheme}// is not a supported URL scheme` }
  if (text.includes('/') || text.endsWith(GGUF_ENDING)) return { source: pathSource(text) }
  if (text === '' || text.includes('=')) return { why: 'it does not name a model' }
  return { source: { kind: 'catalogue', model: text } }
}

/** The text of a source, which {@link readModelSource} parses. */
export function formatModelSource(source: ModelSource): string {
  switch (source.kind) {
    case 'catalogue':
      return source.model
    case 'path':
      return source.path
    case 'url':
      return source.url
    case 'hub': {
      const { owner, repository, revision, path } = source
      return `hf:${owner}/${repository}${revision === MAIN_REVISION ? '' : `@${revision}`}/${path}`
    }
    case 'package':
      return `npm:${source.packageName}@${source.version}/${source.path}`
  }
}

/** The source for messages and records: a URL without its query, which may contain a signature. */
export function describeModelSource(source: ModelSource): string {
  if (source.kind !== 'url') return formatModelSource(source)
  const { origin, pathname, search } = new URL(source.url)
  return `${origin}${pathname}${search === '' ? '' : '?…'}`
}

/** The default name of a model: the name of its file without `.gguf`, or ''. */
export function nameOfSource(source: ModelSource): string {
  switch (source.kind) {
    case 'catalogue':
      return source.model
    case 'url':
      return stem(decoded(new URL(source.url).pathname))
    default:
      return stem(source.path)
  }
}

/** The URL of a file of a hub. @param hubUrl such as https://huggingface.co */
export function hubFileUrl(source: ModelSource & { kind: 'hub' }, hubUrl: string): string {
  const { owner, repository, revision, path } = source
  const parts = [owner, repository, 'resolve', revision, ...path.split('/')]
  return [hubUrl.replace(/\/+$/, ''), ...parts.map(encodeURIComponent)].join('/')
}

function readHub(text: string): SourceReading {
  const [, owner = '', repository = '', revision = MAIN_REVISION, path = ''] = HUB.exec(text) ?? []
  if (path === '') return { why: 'it is not of the form hf:OWNER/REPOSITORY/FILE.gguf' }
  const why = whyNoFile([owner, repository, revision, ...path.split('/')], path)
  if (why !== undefined) return { why }
  return { source: { kind: 'hub', owner, repository, revision, path } }
}

function readPackage(text: string): SourceReading {
  const [, packageName = '', version = '', path = ''] = PACKAGE.exec(text) ?? []
  if (path === '') {
    return { why: 'it is not of the form npm:PACKAGE@VERSION/FILE.gguf, with a whole version' }
  }
  const why = whyNoFile(path.split('/'), path)
  if (why !== undefined) return { why }
  return { source: { kind: 'package', packageName: packageName.toLowerCase(), version, path } }
}

function readFileUrl(text: string): SourceReading {
  try {
    const url = new URL(text)
    if (/^file:\//i.test(text) && url.search === '' && url.hash === '') {
      return { source: pathSource(fileURLToPath(url)) }
    }
  } catch {
    // Not a URL, one of another machine, or with an encoded slash: refused below.
  }
  return { why: 'it is not of the form file:///FOLDER/FILE.gguf' }
}

function readUrl(text: string): SourceReading {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return {
      why: hasExcessivePort(text) ? `its port is above ${MAX_PORT}` : 'it is not a valid address',
    }
  }
  if (url.username !== '' || url.password !== '')
    return { why: 'it contains a user name or a password' }
  if (!isFetchable(url)) return { why: 'http:// is allowed for this machine only: use https://' }
  if (url.hash !== '') return { why: 'its fragment is not sha256=HASH' }
  if (PART.test(url.pathname)) return { why: WHY_NO_PART }
  url.hash = ''
  return { source: { kind: 'url', url: url.href } }
}

const WHY_NO_PART = 'it is one of several files of a model; only models in one file are supported'

function whyNoFile(segments: readonly string[], path: string): string | undefined {
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'its path has an empty segment, or one that is . or ..'
  }
  if (!path.endsWith(GGUF_ENDING)) return 'it does not end with .gguf'
  return PART.test(path) ? WHY_NO_PART : undefined
}

function pathSource(path: string): ModelSource {
  return { kind: 'path', path: /^\.{0,2}\//.test(path) ? path : `./${path}` }
}

function stem(path: string): string {
  return posix.basename(path, GGUF_ENDING)
}

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname)
  } catch {
    // Percent signs that encode nothing are part of the name.
    return pathname
  }
}
