import { ROLES, type Role } from '../../helpers/identity/roles.js'

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Names of variables, and prefixes of names. */
interface VariableList {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
}

/** Paths, locale, time zone, and certificates for TLS. */
const BASE: VariableList = {
  names: [
    ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'],
    ...['XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR'],
    ...['XDG_CONFIG_DIRS', 'XDG_DATA_DIRS'],
    ...['NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ...['SSL_CERT_FILE', 'SSL_CERT_DIR'],
    // The folder for the coverage of Starling's own tests.
    'NODE_V8_COVERAGE',
  ],
  prefixes: ['LC_'],
}

/** Read by llama.cpp and the libraries that it uses, to find devices and drivers. */
const COMPUTING: VariableList = {
  names: [
    ...['LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'DYLD_FALLBACK_LIBRARY_PATH'],
    ...['AMD_VULKAN_ICD', 'DRI_PRIME', 'SNAP'],
  ],
  prefixes: [
    ...['GGML_', 'NODE_LLAMA_CPP_', 'CUDA_', 'NVIDIA_', 'VK_', 'VULKAN_', 'MESA_', 'RADV_'],
    ...['HIP_', 'HSA_', 'ROCR_', 'METAL_', 'MTL_', 'OMP_', 'GOMP_', 'KMP_'],
  ],
}

/** Used to fetch models. The address of a proxy may contain a password. */
const PROXIES: VariableList = {
  names: ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'NODE_USE_ENV_PROXY'].flatMap(
    (name) => [name, name.toLowerCase()],
  ),
  prefixes: [],
}

/** Where the Ollama server of this machine is. May contain a password. */
const SERVERS: VariableList = { names: ['OLLAMA_HOST'], prefixes: [] }

/** Describes the terminal. */
const TERMINAL: VariableList = {
  names: [
    ...['TERM', 'COLORTERM', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'TMUX', 'CI'],
    ...['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'LINES', 'COLUMNS'],
  ],
  prefixes: [],
}

/** Options that can load code. Passed on to workers, which run the same program as their parent. */
const LOADERS: VariableList = { names: ['NODE_OPTIONS', 'LD_PRELOAD'], prefixes: [] }

/** Excludes secrets that have one of the prefixes, such as NVIDIA_API_KEY. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|COOKIE|AUTH/i

/** Matches the setting of a section of the configuration: `STARLING_AUTH__…`. */
const SECTION_SETTING = /^STARLING_([A-Z0-9]+)__/

/** Sections of the configuration that are for one kind of process only. */
const OWNED_SECTIONS: readonly string[] = [...ROLES, 'mesh']

/**
 * The environment of the engine's process, derived from that of its parent. This process parses model
 * files from untrusted sources in native code, so it gets no secrets: no settings of Starling, which may
 * contain API keys and tokens, and no proxy address with a user name.
 */
export function engineEnvironment(parent: Environment): Record<string, string> {
  const proxies = chosen(parent, [PROXIES])
  return {
    ...chosen(parent, [BASE, COMPUTING]),
    ...Object.fromEntries(Object.entries(proxies).filter(([, address]) => !address.includes('@'))),
  }
}

/**
 * The environment of a worker that a mesh starts, derived from that of the mesh: the settings of its role
 * and those of all roles, and the variables that this role needs.
 */
export function workerEnvironment(role: Role, parent: Environment): Record<string, string> {
  const lists = [BASE, LOADERS]
  if (role === 'processor') lists.push(COMPUTING, PROXIES, SERVERS)
  if (role === 'client') lists.push(TERMINAL)
  return { ...chosen(parent, lists), ...settingsOf(role, parent) }
}

function settingsOf(role: Role, parent: Environment): Record<string, string> {
  return filtered(parent, (name) => {
    if (!name.startsWith('STARLING_')) return false
    const section = SECTION_SETTING.exec(name)?.[1]?.toLowerCase()
    return section === undefined || section === role || !OWNED_SECTIONS.includes(section)
  })
}

function chosen(parent: Environment, lists: readonly VariableList[]): Record<string, string> {
  return filtered(parent, (name) =>
    lists.some(
      ({ names, prefixes }) =>
        names.includes(name) ||
        (prefixes.some((prefix) => name.startsWith(prefix)) && !SECRET_NAME.test(name)),
    ),
  )
}

function filtered(parent: Environment, isKept: (name: string) => boolean): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && isKept(name)) kept[name] = value
  }
  return kept
}
