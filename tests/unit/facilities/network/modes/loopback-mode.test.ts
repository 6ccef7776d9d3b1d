import test from 'brittle'
import HyperDHT from 'hyperdht'
import { createStubInstance } from 'sinon'
import { LoopbackMode } from '../../../../../facilities/network/modes/loopback-mode.js'

const mode = new LoopbackMode({ bootstrapPort: 4_000, bootstrapWatchIntervalMs: 500 })

test('should dial a peer only at addresses of this machine when it was seen at others', (t) => {
  const here = [
    { host: '127.0.0.1', port: 2 },
    { host: '127.0.0.1', port: 1 },
  ]
  const elsewhere = [
    { host: '192.168.0.7', port: 1 },
    { host: '0.0.0.0', port: 1 },
    { host: '127.0.0.2', port: 1 },
  ]
  t.alike(mode.dialable([...elsewhere, ...here]), here)
  t.alike(mode.dialable(elsewhere), [])
})

test('should say whether the node on the bootstrap port answers when it is asked', async (t) => {
  const dht = createStubInstance(HyperDHT)
  dht.ping.resolves()
  t.is(await mode.answers(dht), true)
  t.alike(dht.ping.firstCall.args[0], { host: '127.0.0.1', port: 4_000 })
  dht.ping.rejects(new Error('REQUEST_TIMEOUT'))
  t.is(await mode.answers(dht), false)
  t.is(mode.bootstrap, '127.0.0.1:4000')
})
