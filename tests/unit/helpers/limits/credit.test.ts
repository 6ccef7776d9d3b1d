import test from 'brittle'
import { ReaderPatience, ReceiveCredit, SendCredit } from '../../../../helpers/limits/credit.js'

test('should spend what was granted and no more when chunks are sent', async (t) => {
  const credit = new SendCredit(2)
  credit.spend()
  credit.grant(1)
  t.is(credit.available, 2)
  credit.spend()
  credit.spend()
  t.is(credit.available, 0)
  await t.exception(() => credit.spend(), /without credit/)
})

test('should refuse a grant when it is no count of chunks', async (t) => {
  for (const chunks of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    const credit = new SendCredit(1)
    await t.exception(() => credit.grant(chunks), { code: 'PROTOCOL_VIOLATION' })
    t.is(credit.available, 1)
  }
})

test('should refuse a grant when it passes the most that may be granted', async (t) => {
  const credit = new SendCredit(4095)
  credit.grant(1)
  await t.exception(() => credit.grant(1), { code: 'PROTOCOL_VIOLATION' })
  await t.exception(() => new SendCredit(4097), { code: 'PROTOCOL_VIOLATION' })
})

test('should refuse a chunk when the window is spent', async (t) => {
  const credit = new ReceiveCredit(2)
  credit.receive()
  credit.receive()
  await t.exception(() => credit.receive(), { code: 'PROTOCOL_VIOLATION' })
})

test('should let a message exceed the credit, and nothing more until that is paid back', async (t) => {
  const sender = new SendCredit(2)
  const receiver = new ReceiveCredit(2)
  sender.spend(5)
  receiver.receive(5)
  t.is(sender.available, -3)
  await t.exception(() => sender.spend(), /without credit/)
  await t.exception(() => receiver.receive(), { code: 'PROTOCOL_VIOLATION' })
  let hasCredit = false
  const waiting = sender.whenAvailable().then(() => {
    hasCredit = true
  })
  sender.grant(receiver.consume(3))
  await Promise.resolve()
  t.absent(hasCredit)
  sender.grant(receiver.consume(2))
  await waiting
  t.is(sender.available, 2)
  receiver.receive()
})

test('should have no credit before the first grant when it begins with none', (t) => {
  const credit = new SendCredit(0)
  t.is(credit.available, 0)
  credit.grant(3)
  t.is(credit.available, 3)
})

test('should grant half a window at once when that much was read', (t) => {
  const credit = new ReceiveCredit(8)
  for (let i = 0; i < 8; i += 1) credit.receive()
  t.alike(
    Array.from({ length: 8 }, () => credit.consume()),
    [0, 0, 0, 4, 0, 0, 0, 4],
  )
})

for (const window of [1, 2, 3, 64, 4096]) {
  test(`should keep the sender going and within the window when it has ${window} chunks`, (t) => {
    const sender = new SendCredit(window)
    const receiver = new ReceiveCredit(window)
    let unread = 0
    let most = 0
    for (let chunk = 0; chunk < 3 * window + 5; chunk += 1) {
      while (sender.available > 0) {
        sender.spend()
        receiver.receive()
        unread += 1
      }
      most = Math.max(most, unread)
      unread -= 1
      const grant = receiver.consume()
      if (grant > 0) sender.grant(grant)
      if (unread === 0 && sender.available === 0) t.fail('the stream stands still')
    }
    t.is(most, window)
  })
}

const create = () => new ReaderPatience({ timeoutMs: 30_000, windowChunks: 60 })

/** For how long in all a reader is waited for that always takes `chunks` after `waitMs`. */
function waitedInAll(chunks: number, waitMs: number): number {
  const patience = create()
  let waitedMs = 0
  while (patience.leftMs > waitMs && waitedMs < 10_000_000) {
    waitedMs += waitMs
    patience.granted(chunks, waitMs)
  }
  return waitedMs + patience.leftMs
}

test('should wait as long as allowed when the reader stays silent', (t) => {
  t.is(create().leftMs, 30_000)
})

test('should give a part of the time back when the reader takes chunks', (t) => {
  const patience = create()
  patience.granted(10, 20_000)
  t.is(patience.leftMs, 15_000)
  patience.granted(60, 0)
  t.is(patience.leftMs, 30_000, 'never more than all of it')
})

test('should soon give a reader up when it takes one chunk shortly before each end', (t) => {
  t.is(waitedInAll(1, 29_000), 30_500)
})

test('should never give a reader up when it takes a window in the time that is allowed', (t) => {
  t.ok(waitedInAll(30, 15_000) > 10_000_000)
  t.ok(waitedInAll(1, 500) > 10_000_000)
})

test('should give a reader up when it is slower than that for long', (t) => {
  const waitedMs = waitedInAll(1, 1_000)
  t.ok(waitedMs > 30_000 && waitedMs < 61_000, `after ${waitedMs} ms`)
})
