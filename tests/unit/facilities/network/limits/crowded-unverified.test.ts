import test, { type Test } from 'brittle'
import { HelloSpeaker } from '../../../../helpers/network/hello-speaker.js'
import { proveByHand } from '../../../../helpers/network/hostile-peer.js'
import type { FixtureNode } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { sampleService } from '../../../../helpers/network/sample-service.js'
import { settle, until } from '../../../../helpers/until.js'

const ROOM = 8

/** A gateway with little room for newcomers, and one process that opens connections and says nothing. */
async function scene(t: Test) {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', {
    service: sampleService(),
    limits: { maxUnverifiedConnections: ROOM, maxConnections: 1_000 },
  })
  const flooder = mesh.network.dht()
  const flood = async (connections: number) => {
    for (let opened = 0; opened < connections; opened += 1) connect(t, mesh, gateway, flooder)
    await settle(5)
  }
  return { mesh, gateway, flood }
}

function connect(t: Test, mesh: PipedMesh, gateway: FixtureNode, from = mesh.network.dht()) {
  const identity = mesh.authority.identity('client')
  const stream = from.connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  stream.on('error', () => {})
  t.teardown(() => stream.destroy(), { order: -1 })
  const piped = mesh.network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  return { stream, piped, prove: () => proveByHand(stream, identity) }
}

test('should let a member say its hello late when others crowd in and say nothing', async (t) => {
  const { mesh, gateway, flood } = await scene(t)
  await flood(ROOM)
  await mesh.time.advance(300)
  const member = connect(t, mesh, gateway)
  await member.stream.opened
  for (let passedMs = 0; passedMs < 450; passedMs += 10) {
    await flood(1)
    await mesh.time.advance(10)
  }
  t.absent(member.piped.responder.destroying, 'after 450 ms, longer than nobody is cut')
  await member.prove()
  t.ok(await until('the member', () => gateway.node.connectionCounts.proved === 1))
})

test('should close no connection within 300 ms when more connect at once than there is room for', async (t) => {
  const { mesh, gateway } = await scene(t)
  const members = Array.from({ length: ROOM }, () => connect(t, mesh, gateway))
  await settle(5)
  for (let late = 0; late < ROOM; late += 1) connect(t, mesh, gateway)
  await settle(5)
  await mesh.time.advance(299)
  for (let late = 0; late < ROOM; late += 1) connect(t, mesh, gateway)
  await settle(5)
  t.is(members.filter(({ piped }) => !piped.responder.destroying).length, ROOM)
  await Promise.all(members.map(({ prove }) => prove()))
  await until('all members', () => gateway.node.connectionCounts.proved === ROOM)
})

test('should answer no further stranger of a process whose hellos were refused, but a member that proved itself', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const process = mesh.network.dht()
  const member = await mesh.node('client', { dht: process })
  ;(await mesh.dial(member, gateway)).destroy()
  const stranger = async (from = process) => {
    const { stream, piped } = connect(t, mesh, gateway, from)
    const isOpen = await stream.opened
    if (isOpen) new HelloSpeaker(stream).say('hello', { nonsense: true })
    await until('the end', () => piped.responder.destroying || !isOpen)
    stream.destroy()
    return isOpen
  }
  const answered: boolean[] = []
  for (let dialled = 0; dialled < 33; dialled += 1) answered.push(await stranger())
  t.alike(answered, [...Array(32).fill(true), false])
  t.is(await stranger(mesh.network.dht()), true, 'another process')
  t.ok((await mesh.dial(member, gateway)).isOpen, 'the key that proved itself')
  await mesh.time.advance(10_000)
  t.is(await stranger(), true, 'when the refusals are 10 s old')
})
