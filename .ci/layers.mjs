// Who may import whom. The linter holds every import against it, type-only imports too: see
// check-layers.mjs.

/**
 * The folders below the workers, lowest first. A folder may import itself and any folder before it. A folder
 * is listed without the folders in it: `facilities/network` is what stands in it directly.
 */
export const FOLDERS = [
  // Pure logic.
  'helpers/text',
  'helpers/errors',
  'helpers/http',
  'helpers/limits',
  'helpers/store',
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
  // What touches the world.
  'facilities/declarations',
  'facilities/clock',
  'facilities/files',
  'facilities/log',
  'facilities/process',
  'facilities/home',
  'facilities/store',
  'facilities/http',
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
  'facilities/engine/llama/child/tuning',
  'facilities/engine/llama/child/generation',
  'facilities/engine/llama/child',
  'facilities/cli',
  'facilities/worker',
]

/** Each has an entry, `workers/ROLE.mts`, and a folder. Roles never import each other. */
export const ROLES = ['auth', 'gateway', 'processor', 'client', 'mesh']

/** What pure logic may use besides itself: nothing with input, output, timers or randomness. */
export const PURE_PACKAGES = [
  ...['node:assert', 'node:buffer', 'node:crypto', 'node:events', 'node:path'],
  ...['node:string_decoder', 'node:url', 'node:util'],
  ...['@huggingface/jinja', 'compact-encoding', 'hypercore-crypto', 'jsonwebtoken'],
  ...['sodium-native', 'string-width', 'ulid', 'zod'],
]

/** In one folder, without those in its own folders. */
export const MAX_FILES = 20
