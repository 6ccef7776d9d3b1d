import test from 'brittle'
import { UnverifiedConnections } from '../../../../../facilities/network/limits/unverified-connections.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'

const FLOODED = { host: '10.0.0.1', port: 1 }

/** Room for four connections. */
function scene({ most = 4 } = {}) {
  const clock = new VirtualClock()
  const connections = new UnverifiedConnections({ clock, most })
  const cut: string[] = []
  const add = (name: string, port: number, host = '10.0.0.1') =>
    connections.add({ host, port, key: name }, () => cut.push(name))
  return { clock, connections, cut, add }
}

test('should close no connection in the first 300 ms', async (t) => {
  const { clock, connections, cut, add } = scene()
  for (const name of ['a', 'b', 'c', 'd']) add(name, 1)
  await clock.advance(299)
  t.is(add('e', 2), undefined, 'there is no room')
  t.alike(cut, [])
  await clock.advance(1)
  t.ok(add('e', 2))
  t.alike(cut, ['a'])
  t.is(connections.size, 4)
})

test('should cut the oldest of the busiest port when all come from one host', async (t) => {
  const { clock, cut, add } = scene()
  add('slow', 1)
  add('flood 1', 2)
  add('flood 2', 2)
  add('flood 3', 2)
  await clock.advance(300)
  add('newcomer', 3)
  add('newcomer', 4)
  t.alike(cut, ['flood 1', 'flood 2'])
})

test('should cut the oldest of the busiest host first, whatever its ports', async (t) => {
  const { clock, cut, add } = scene()
  add('one', 1, '10.0.0.2')
  add('two', 1, '10.0.0.2')
  for (const port of [1, 2]) add(`flood ${port}`, port)
  await clock.advance(300)
  const place = add('flood 3', 3)
  t.alike(cut, ['one'], 'the oldest when none is busier')
  t.ok(place)
  add('newcomer', 1, '10.0.0.3')
  t.alike(cut, ['one', 'flood 1'])
})

test('should cut none of a quieter source for a newcomer of a busier one', async (t) => {
  const { clock, cut, add } = scene()
  add('slow', 1)
  await clock.advance(300)
  for (const name of ['flood 1', 'flood 2', 'flood 3']) add(name, 2)
  t.is(add('flood 4', 2), undefined)
  t.alike(cut, [])
  t.ok(add('newcomer', 3), 'one of a quiet source is let in')
  t.alike(cut, ['slow'], 'in the place of the only one that had its time')
})

test('should cut those first whose hello was refused, even in their first 300 ms', (t) => {
  const { cut, add } = scene()
  add('a', 1)
  const refused = add('b', 2)
  add('c', 1)
  add('d', 1)
  refused?.refuse()
  t.ok(add('e', 1))
  t.alike(cut, ['b'])
})

test('should free one place when a peer has disconnected, even if that is reported repeatedly', (t) => {
  const { connections, cut, add } = scene()
  const places = [1, 2, 3, 4].map((port) => add(`${port}`, port))
  places[0]?.leave()
  places[0]?.leave()
  places[0]?.refuse()
  t.is(connections.size, 3)
  t.ok(add('e', 1))
  t.is(add('f', 1), undefined)
  t.alike(cut, [])
})

test('should call a port crowded while 32 of its connections are unverified', (t) => {
  const { connections, add } = scene({ most: 100 })
  const places = Array.from({ length: 31 }, (_, index) => add(`key ${index}`, FLOODED.port))
  t.is(connections.isCrowded(FLOODED, 'new'), false)
  places.push(add('key 31', FLOODED.port))
  t.is(connections.isCrowded(FLOODED, 'new'), true)
  t.is(connections.isCrowded({ ...FLOODED, port: 2 }, 'new'), false, 'another process of its host')
  places[0]?.leave()
  t.is(connections.isCrowded(FLOODED, 'new'), false)
})

test('should not call a key crowded that proved itself when strangers have its address', (t) => {
  const { connections, add } = scene({ most: 100 })
  add('member', FLOODED.port)?.verify()
  for (let index = 0; index < 40; index += 1) add(`stranger ${index}`, FLOODED.port)
  t.is(connections.isCrowded(FLOODED, 'new'), true)
  t.is(connections.isCrowded(FLOODED, 'member'), false)
})

test('should call a key that proved itself crowded while 32 of its connections are unverified, whatever their ports', (t) => {
  const { connections, add } = scene({ most: 100 })
  add('member', 1)?.verify()
  for (let port = 1; port <= 32; port += 1) add('member', port)
  t.is(connections.isCrowded({ ...FLOODED, port: 50 }, 'member'), true)
  t.is(connections.isCrowded({ ...FLOODED, port: 50 }, 'new'), false)
})

test('should remember the 4,096 keys that proved themselves last', (t) => {
  const { connections, add } = scene({ most: 100 })
  add('first', 2)?.verify()
  add('second', 2)?.verify()
  add('first', 2)?.verify()
  for (let index = 0; index < 4_095; index += 1) add(`key ${index}`, 2)?.verify()
  for (let index = 0; index < 32; index += 1) add(`stranger ${index}`, FLOODED.port)
  t.is(connections.isCrowded(FLOODED, 'first'), false)
  t.is(connections.isCrowded(FLOODED, 'second'), true, 'it proved itself longest ago')
})

/** Connections of one port whose hellos are refused, each of a new key. */
function refuse({ add }: ReturnType<typeof scene>, times: number, port = FLOODED.port) {
  for (let index = 0; index < times; index += 1) {
    const place = add(`refused ${index}`, port)
    place?.refuse()
    place?.leave()
  }
}

test('should call a port crowded for 10 s when 32 of its hellos were refused', async (t) => {
  const it = scene()
  const { clock, connections, add } = it
  add('member', FLOODED.port)?.verify()
  refuse(it, 31)
  t.is(connections.isCrowded(FLOODED, 'new'), false)
  await clock.advance(5_000)
  refuse(it, 1)
  t.is(connections.isCrowded(FLOODED, 'new'), true)
  t.is(connections.isCrowded({ ...FLOODED, port: 2 }, 'new'), false, 'another process of its host')
  t.is(connections.isCrowded(FLOODED, 'member'), false, 'a key that proved itself')
  await clock.advance(4_999)
  t.is(connections.isCrowded(FLOODED, 'new'), true)
  await clock.advance(1)
  t.is(connections.isCrowded(FLOODED, 'new'), false)
  refuse(it, 31)
  t.is(connections.isCrowded(FLOODED, 'new'), true, 'one refusal of before is younger than 10 s')
})

test('should not call a port crowded when its hello is refused again and again with a pause between', async (t) => {
  const it = scene()
  for (let attempt = 0; attempt < 100; attempt += 1) {
    refuse(it, 1)
    t.is(it.connections.isCrowded(FLOODED, 'new'), false)
    await it.clock.advance(500)
  }
})

test('should count one refusal when a connection is refused and closed in any order', (t) => {
  const { connections, add } = scene()
  for (let index = 0; index < 31; index += 1) {
    const place = add(`refused ${index}`, FLOODED.port)
    if (index % 2 === 0) place?.leave()
    place?.refuse()
    place?.refuse()
    place?.leave()
  }
  t.is(connections.isCrowded(FLOODED, 'new'), false)
  const last = add('last', FLOODED.port)
  last?.leave()
  last?.refuse()
  t.is(connections.isCrowded(FLOODED, 'new'), true, 'that it left before its refusal helps nobody')
})

test('should not count a connection as refused that was closed to make room', async (t) => {
  const { clock, connections, add } = scene({ most: 1 })
  for (let index = 0; index < 40; index += 1) {
    const place = add(`slow ${index}`, FLOODED.port)
    await clock.advance(300)
    add(`next ${index}`, FLOODED.port)?.leave()
    place?.refuse()
  }
  t.is(connections.isCrowded(FLOODED, 'new'), false)
})

test('should remember the last 16,384 refusals', (t) => {
  const it = scene()
  refuse(it, 32, 1)
  for (let port = 2; port <= 512; port += 1) refuse(it, 32, port)
  t.is(it.connections.isCrowded({ ...FLOODED, port: 1 }, 'new'), true)
  refuse(it, 1, 513)
  t.is(it.connections.isCrowded({ ...FLOODED, port: 1 }, 'new'), false, 'the oldest is forgotten')
  t.is(it.connections.isCrowded({ ...FLOODED, port: 2 }, 'new'), true)
})
