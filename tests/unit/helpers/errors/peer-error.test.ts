import test from 'brittle'
import { publicMessage, toPeerError } from '../../../../helpers/errors/peer-error.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { fromWireError } from '../../../../helpers/errors/wire-error.js'

test('should send a peer neither the address of a server nor a path', (t) => {
  for (const [code, message, told] of [
    [
      'ENGINE_UNREACHABLE',
      'No server answers at http://10.0.0.7:8000',
      'No server answers at [address]',
    ],
    ['OVERLOADED', 'The server at http://gpu.lan/v1 is busy', 'The server at [address] is busy'],
    ['MODEL_NOT_FOUND', 'there is no model file /home/ada/x.gguf', 'there is no model file [path]'],
    ['MODEL_INVALID', '/home/ada/x.gguf is cut off', 'The model of the processor cannot be run'],
    ['OVERLOADED', 'All 4 slots are busy', 'All 4 slots are busy'],
  ] as const) {
    t.is(toPeerError(new StarlingError(code, message)).message, told)
  }
})

test('should leave what a peer told to its words, and not what a process of this worker did', (t) => {
  const wire = { code: 'MODEL_INVALID', message: '/home/ada/x.gguf is cut off' }
  t.is(toPeerError(fromWireError(wire)).message, wire.message)
  t.is(
    toPeerError(fromWireError(wire, { isFromPeer: false })).message,
    'The model of the processor cannot be run',
  )
})

test('should leave out the addresses of servers', (t) => {
  for (const [text, told] of [
    ['No server answers at http://127.0.0.1:11434 (E)', 'No server answers at [address] (E)'],
    ['the server at https://gpu-box.lan/v1 is busy', 'the server at [address] is busy'],
    ['http://[::1]:8000/v1/models failed', '[address] failed'],
    ['connect ECONNREFUSED 10.0.0.7:8000', 'connect ECONNREFUSED [address]'],
    ['localhost:8000, gpu-box:8000 and [fe80::1]:80', '[address], [address] and [address]'],
    ['upstream 192.168.1.20 is down', 'upstream [address] is down'],
    ['see file:///home/ada/x and redis://cache/0.', 'see [address] and [address].'],
  ] as const) {
    t.is(publicMessage('OVERLOADED', text), told)
  }
})

test('should leave out paths', (t) => {
  for (const [text, told] of [
    ['there is no model file /home/ada/x.gguf', 'there is no model file [path]'],
    ["open '/root/.models/secret.gguf'", "open '[path]'"],
    ['/models/x: the model file is cut off', '[path]: the model file is cut off'],
    ['no ./models/x.gguf, ../x.gguf or ~/x.gguf', 'no [path], [path] or [path]'],
    ['C:\\models\\x.gguf is missing', '[path] is missing'],
    ['path=/x.gguf', 'path=[path]'],
  ] as const) {
    t.is(publicMessage('OVERLOADED', text), told)
  }
})

test('should leave everything else as it is', (t) => {
  for (const text of [
    'The processor serves qwen2.5:72b, llama3.2:1b and hf/owner, not mistralai/Mistral-7B',
    'The prompt has 5000 tokens; at most 4095 leave room for an answer',
    'The JSON schema cannot be used at #/properties/a/b: it is no type',
    'registry.ollama.ai/library/x does not support tools',
    'version 1.2.3 of and/or 2026-01-01T12:00:01Z, 10/20 / 30',
    'Type /help',
  ]) {
    t.is(publicMessage('OVERLOADED', text), text)
  }
})
