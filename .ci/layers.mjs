// Defines which folder may import which. `npm run lint` checks all imports, including type-only ones: see
// check-layers.mjs.

/**
 * The folders below the workers, lowest first. A folder may import from itself and from the folders before it.
 * An entry stands for the files directly in the folder, without its subfolders.
 */
export const FOLDERS = [
  // Pure logic.
  'helpers/errors',
  'helpers/text',
  'helpers/http',
  'helpers/limits',
  'helpers/store',
  'helpers/accounts',
  'helpers/identity',
  'helpers/discovery',
  'helpers/protocol',
  'helpers/routing',
  'helpers/chat',
  'helpers/generation/json-grammar',
  'helpers/generation',
  'helpers/upstream',
  'helpers/upstream/ollama',
  'helpers/upstream/openai',
  'helpers/models',
  'helpers/models/gguf',
  'helpers/models/onnx',
  'helpers/models/safetensors',
  'helpers/models/minimind',
  'helpers/models/minilm',
  // Input and output.
  'facilities/declarations',
  'facilities/clock',
  'facilities/files',
  'facilities/log',
  'facilities/process',
  'facilities/home',
  'facilities/store',
  'facilities/http',
  'facilities/network/modes',
  'facilities/network/limits',
  'facilities/network/trust',
  'facilities/network/watch',
  'facilities/network/calls',
  'facilities/network/connection',
  'facilities/network/discovery',
  'facilities/network',
  'facilities/models',
  'facilities/models/sources',
  'facilities/models/fetch',
  'facilities/models/cache',
  'facilities/engine',
  'facilities/engine/scripted',
  'facilities/engine/remote',
  'facilities/engine/llama',
  'facilities/engine/llama/child/model',
  'facilities/engine/llama/child/generation',
  'facilities/engine/llama/child',
  'facilities/cli',
  'facilities/worker',
]

/** Each role has an entry, `workers/ROLE.mts`, and a folder. Roles must not import each other. */
export const ROLES = ['auth', 'gateway', 'processor', 'client', 'mesh']

/** The packages that helpers may import: none with input, output, timers or randomness. */
export const PURE_PACKAGES = [
  ...['node:assert', 'node:buffer', 'node:crypto', 'node:events', 'node:path'],
  ...['node:string_decoder', 'node:url', 'node:util'],
  ...['@huggingface/jinja', 'compact-encoding', 'hypercore-crypto', 'jsonwebtoken'],
  ...['sodium-native', 'string-width', 'ulid', 'zod'],
]

/** The most files in one folder, subfolders excluded. */
export const MAX_FILES = 20
