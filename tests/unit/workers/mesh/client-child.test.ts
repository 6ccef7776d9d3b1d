import { PassThrough } from 'node:stream'
import test from 'brittle'
import { ClientChild, type ClientChildOptions } from '../../../../workers/mesh/client-child.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { ChildStandIn } from '../../../helpers/processes/child-stand-in.js'
import { settle } from '../../../helpers/until.js'

async function scene(changes: Partial<ClientChildOptions> = {}) {
  const child = new ChildStandIn()
  const clock = new VirtualClock()
  const client = new ClientChild({
    script: '/client.js',
    parameters: ['ask', '-'],
    environment: {},
    clock,
    fork: child.fork,
    ...changes,
  })
  await client.ready()
  const stdin = [child.forked?.options.stdio].flat()[0]
  return { client, child, clock, stdin }
}

async function textOf(stream: PassThrough): Promise<string> {
  let text = ''
  for await (const piece of stream.setEncoding('utf8')) text += piece
  return text
}

test('should leave the terminal to the client and exit with its code', async (t) => {
  const { client, child, stdin } = await scene()
  t.is(stdin, 'inherit')
  t.is(child.forked?.options.detached, undefined, 'Ctrl-C at the terminal is for the client')
  child.exit(2)
  t.is(await client.finished, 2)
})

test('should end with exit code 1 when the client is killed or cannot be started', async (t) => {
  const killed = await scene()
  killed.child.exit('SIGKILL')
  t.is(await killed.client.finished, 1)
  const missing = await scene()
  missing.child.emit('error', new Error('spawn ENOENT'))
  t.is(await missing.client.finished, 1)
})

test('should write the prompt, and piped input after it, to standard input', async (t) => {
  const asked = await scene({ prompt: 'Why?' })
  t.is(asked.stdin, 'pipe')
  t.is(await textOf(asked.child.stdin), 'Why?')
  const input = new PassThrough()
  const both = await scene({ prompt: 'Why?', input })
  input.end('a file\n')
  t.is(await textOf(both.child.stdin), 'Why?\n\na file\n')
})

test('should not fail when the client exits before it has read its input', async (t) => {
  const { client, child } = await scene({ prompt: 'Why?' })
  child.stdin.destroy(new Error('EPIPE'))
  await settle()
  child.exit(1)
  t.is(await client.finished, 1)
})

test('should show notices in the client as long as it runs', async (t) => {
  const { client, child } = await scene()
  t.ok(client.notify('auth serves again'))
  t.alike(child.received, [{ kind: 'notice', text: 'auth serves again' }])
  child.exit(0)
  t.absent(client.notify('too late'))
})

test('should kill the client when it does not close in time', async (t) => {
  const { client, child, clock } = await scene()
  const closed = client.close()
  await settle()
  t.alike(child.signals, ['SIGTERM'])
  await clock.advance(5_000)
  t.alike(child.signals, ['SIGTERM', 'SIGKILL'])
  child.exit('SIGKILL')
  await closed
})
