import test, { type Test } from 'brittle'
import { GuardedMux } from '../../../../../facilities/network/trust/guarded-mux.js'
import { openByHand } from '../../../../helpers/network/echo-channels.js'
import { idOf } from '../../../../helpers/network/hostile-peer.js'
import { pipeOpenStreams } from '../../../../helpers/network/piped-streams.js'
import { settle, until } from '../../../../helpers/until.js'

/** Two multiplexers that are connected. The far one claims the channels of one protocol when it answers. */
async function scene(t: Test) {
  const piped = await pipeOpenStreams()
  t.teardown(() => piped.initiator.destroy())
  const near = new GuardedMux(piped.initiator)
  const far = new GuardedMux(piped.responder)
  const claimed: string[] = []
  const rejected: string[] = []
  const answers = {
    claim: (protocol: string, id: Uint8Array | null) => {
      if (protocol !== 'test/known') return
      claimed.push(Buffer.from(id ?? []).toString('hex'))
      far.createChannel({ protocol, id })?.open()
    },
    onRejected: (protocol: string) => void rejected.push(protocol),
  }
  near.answer({ claim: () => undefined, onRejected: () => undefined })
  return { near, far, answers, claimed, rejected }
}

test('should hold channels of any name until it answers, and then answer each once', async (t) => {
  const { near, far, answers, claimed, rejected } = await scene(t)
  const known = openByHand(near, 'test/known', idOf(1))
  const unknown = openByHand(near, 'test/unknown')
  await settle()
  t.alike([known.state, unknown.state], Array(2).fill({ isOpen: false, isClosed: false }))
  far.answer(answers)
  t.alike([claimed, rejected], [[idOf(1).toString('hex')], ['test/unknown']], 'in the same tick')
  await until('the answers', () => known.state.isOpen && unknown.state.isClosed)
  const later = openByHand(near, 'test/known', idOf(2))
  await until('the answer to a later one', () => later.state.isOpen)
  t.alike([claimed.length, rejected.length], [2, 1])
})

test('should claim nothing for a channel that was held when its end had opened the same one', async (t) => {
  const { near, far, answers, claimed, rejected } = await scene(t)
  const theirs = openByHand(near, 'test/known')
  await settle()
  const ours = openByHand(far, 'test/known')
  far.answer(answers)
  await until('both to be open', () => theirs.state.isOpen && ours.state.isOpen)
  t.alike([claimed, rejected], [[], []])
  ours.send('hi')
  await until('a message', () => theirs.heard[0] === 'hi')
})

test('should ask who has paired a name when nobody claims its channel', async (t) => {
  const { near, far, answers, rejected } = await scene(t)
  far.pair({ protocol: 'test/paired' }, (id) => {
    far.createChannel({ protocol: 'test/paired', id })?.open()
  })
  const early = openByHand(near, 'test/paired', idOf(1))
  await settle()
  t.absent(early.state.isOpen)
  far.answer(answers)
  const late = openByHand(near, 'test/paired', idOf(2))
  await until('both to be open', () => early.state.isOpen && late.state.isOpen)
  t.alike(rejected, [])
})

test('should keep nothing of channels when they are closed before they are answered, or rejected', async (t) => {
  const { near, far, answers, claimed, rejected } = await scene(t)
  far.answer(answers)
  for (const protocol of ['test/known', 'test/unknown']) {
    for (let n = 0; n < 100; n += 1) {
      const channel = near.createChannel({ protocol, id: idOf(n) })
      channel?.open()
      channel?.close()
    }
  }
  await until('all answers', () => claimed.length === 100 && rejected.length === 100)
  await settle()
  t.alike([Object(near)._infos.size, Object(far)._infos.size], [0, 0])
})
