import { ROLES, type Role } from './identity/roles.js'

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The variables that a list names: each by its name, or all whose names have a prefix. */
interface VariableList {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
}

/** The language, the time zone, where programs and the files of the user are, whom TLS trusts. */
const BASE: VariableList = {
  names: [
    ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'],
    ...['XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR'],
    ...['XDG_CONFIG_DIRS', 'XDG_DATA_DIRS'],
    ...['NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ...['SSL_CERT_FILE', 'SSL_CERT_DIR'],
    // Where Node writes what the tests of Starling have covered.
    'NODE_V8_COVERAGE',
  ],
  prefixes: ['LC_'],
}

/** What llama.cpp and the libraries below it read: which devices there are, and where drivers lie. */
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

/** How models are fetched. The address of a proxy may hold a password. */
const PROXIES: VariableList = {
  names: ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'NODE_USE_ENV_PROXY'].flatMap(
    (name) => [name, name.toLowerCase()],
  ),
  prefixes: [],
}

/** What a command needs to know of the terminal that it writes to. */
const TERMINAL: VariableList = {
  names: [
    ...['TERM', 'COLORTERM', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'TMUX', 'CI'],
    ...['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'LINES', 'COLUMNS'],
  ],
  prefixes: [],
}

/** Loads code into a process: kept for workers, which are the same program as their parent. */
const LOADERS: VariableList = { names: ['NODE_OPTIONS', 'LD_PRELOAD'], prefixes: [] }

/** A secret may share its prefix with something harmless, such as NVIDIA_API_KEY. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|COOKIE|AUTH/i

/** `STARLING_AUTH__…`: a setting of one section of the configuration. */
const SECTION_SETTING = /^STARLING_([A-Z0-9]+)__/

/** Sections of the configuration that only one process reads. */
const OWNED_SECTIONS: readonly string[] = [...ROLES, 'mesh']

/**
 * What the engine's process gets of the environment of its parent. Model files come from strangers,
 * and native code reads them there: so it gets nothing that opens a door. All settings of Starling
 * are left out, because keys of servers and tokens stand among them, and a proxy whose address holds
 * a user name.
 */
export function engineEnvironment(parent: Environment): Record<string, string> {
  const proxies = chosen(parent, [PROXIES])
  return {
    ...chosen(parent, [BASE, COMPUTING]),
    ...Object.fromEntries(Object.entries(proxies).filter(([, address]) => !address.includes('@'))),
  }
}

/**
 * What a worker gets of the environment of the mesh that starts it: the settings of its own role and
 * those that all share, and what its work needs.
 */
export function workerEnvironment(role: Role, parent: Environment): Record<string, string> {
  const lists = [BASE, LOADERS]
  if (role === 'processor') lists.push(COMPUTING, PROXIES)
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
