import test from 'brittle'
import { toPeerError } from '../../../../helpers/errors/peer-error.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { fromWireError } from '../../../../helpers/errors/wire-error.js'

test('should tell a peer neither the address of a server nor a path', (t) => {
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
