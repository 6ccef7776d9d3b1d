import test from 'brittle'
import {
  engineEnvironment,
  workerEnvironment,
} from '../../../../facilities/process/child-environment.js'

/** Of each kind one. */
const PARENT = {
  PATH: '/bin',
  HOME: '/root',
  LC_ALL: 'C',
  TZ: 'UTC',
  EDITOR: 'vi',
  TERM: 'xterm',
  NODE_OPTIONS: '--require /agent.js',
  LD_PRELOAD: '/agent.so',
  LD_LIBRARY_PATH: '/usr/local/cuda/lib64',
  CUDA_VISIBLE_DEVICES: '0',
  GGML_VK_VISIBLE_DEVICES: '1',
  NVIDIA_VISIBLE_DEVICES: 'all',
  NVIDIA_API_KEY: 'secret',
  HTTPS_PROXY: 'http://ada:secret@proxy:3128',
  no_proxy: 'localhost',
  AWS_SECRET_ACCESS_KEY: 'secret',
  SSH_AUTH_SOCK: '/tmp/agent',
  UNSET: undefined,
  STARLING_HOME: '/data',
  STARLING_NETWORK__BOOTSTRAP_PORT: '4000',
  STARLING_AUTH__SESSION_LIFETIME_MS: '60000',
  STARLING_GATEWAY__MAX_PROMPT_BYTES: '100',
  STARLING_PROCESSOR__OPENAI__API_KEY: 'secret',
  STARLING_CLIENT__WAIT_MS: '5',
  STARLING_MESH__PROCESSORS: '2',
}

const names = (environment: Record<string, string>) => Object.keys(environment).sort()

const EVERYBODY = ['HOME', 'LC_ALL', 'PATH', 'TZ']
const EVERY_WORKER = [
  ...EVERYBODY,
  'LD_PRELOAD',
  'NODE_OPTIONS',
  'STARLING_HOME',
  'STARLING_NETWORK__BOOTSTRAP_PORT',
]
const COMPUTING = [
  'CUDA_VISIBLE_DEVICES',
  'GGML_VK_VISIBLE_DEVICES',
  'LD_LIBRARY_PATH',
  'NVIDIA_VISIBLE_DEVICES',
]

test('should hold no secret and no setting when it is for the engine', (t) => {
  const environment = engineEnvironment(PARENT)
  t.alike(names(environment), [...EVERYBODY, ...COMPUTING, 'no_proxy'].sort())
  t.absent(Object.values(environment).some((value) => value.includes('secret')))
})

test('should hold a proxy when its address holds no password', (t) => {
  const HTTPS_PROXY = 'http://proxy:3128'
  t.alike(engineEnvironment({ HTTPS_PROXY }), { HTTPS_PROXY })
})

test('should hold the settings of its own role when it is for a worker', (t) => {
  t.alike(
    names(workerEnvironment('auth', PARENT)),
    [...EVERY_WORKER, 'STARLING_AUTH__SESSION_LIFETIME_MS'].sort(),
  )
  t.alike(
    names(workerEnvironment('gateway', PARENT)),
    [...EVERY_WORKER, 'STARLING_GATEWAY__MAX_PROMPT_BYTES'].sort(),
  )
  t.alike(
    names(workerEnvironment('client', PARENT)),
    [...EVERY_WORKER, 'STARLING_CLIENT__WAIT_MS', 'TERM'].sort(),
  )
})

test('should hold what its servers need when it is for a processor', (t) => {
  const environment = workerEnvironment('processor', PARENT)
  t.alike(
    names(environment),
    [
      ...EVERY_WORKER,
      ...COMPUTING,
      'HTTPS_PROXY',
      'STARLING_PROCESSOR__OPENAI__API_KEY',
      'no_proxy',
    ].sort(),
  )
  t.is(environment.HTTPS_PROXY, PARENT.HTTPS_PROXY)
})
