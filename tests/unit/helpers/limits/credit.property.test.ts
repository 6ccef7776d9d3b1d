import test from 'brittle'
import fc from 'fast-check'
import { ReceiveCredit, SendCredit } from '../../../../helpers/limits/credit.js'
import { codeThrownBy, ensure, holds } from '../../../helpers/property.js'

const MAX_CREDIT = 4096

/** A stream's two ends and what is on its way between them, one step at a time. */
class Flow {
  readonly sender: SendCredit
  readonly receiver: ReceiveCredit
  readonly #window: number
  /** Chunks by number, in order. */
  readonly #chunksUnderway: number[] = []
  readonly #grantsUnderway: number[] = []
  readonly #unread: number[] = []
  #granted: number
  sent = 0
  readonly read: number[] = []

  constructor(window: number) {
    this.#window = window
    this.#granted = window
    this.sender = new SendCredit(window)
    this.receiver = new ReceiveCredit(window)
  }

  get isQuiet(): boolean {
    const { length } = [...this.#chunksUnderway, ...this.#grantsUnderway, ...this.#unread]
    return length === 0
  }

  step(kind: 'send' | 'chunk arrives' | 'read' | 'grant arrives'): void {
    if (kind === 'send' && this.sender.available > 0) {
      this.sender.spend()
      this.#chunksUnderway.push(this.sent++)
    }
    if (kind === 'chunk arrives') {
      const chunk = this.#chunksUnderway.shift()
      if (chunk !== undefined) {
        this.receiver.receive()
        this.#unread.push(chunk)
      }
    }
    if (kind === 'read') {
      const chunk = this.#unread.shift()
      if (chunk !== undefined) {
        this.read.push(chunk)
        const grant = this.receiver.consume()
        if (grant > 0) this.#grantsUnderway.push(grant)
        this.#granted += grant
      }
    }
    if (kind === 'grant arrives') {
      const grant = this.#grantsUnderway.shift()
      if (grant !== undefined) this.sender.grant(grant)
    }
    ensure(this.sent <= this.#granted, 'more was sent than granted')
    const ahead = this.sent - this.read.length
    ensure(ahead <= this.#window, `${ahead} chunks are unread or on their way`)
  }
}

const steps = fc.array(fc.constantFrom('send', 'chunk arrives', 'read', 'grant arrives' as const), {
  maxLength: 300,
})
const windows = fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: MAX_CREDIT }))

test('should never send more than granted, nor lose, double or stand still, whatever the order of events', async (t) => {
  await holds(
    t,
    fc.property(windows, steps, (window, order) => {
      const flow = new Flow(window)
      for (const kind of order) flow.step(kind)
      // What is under way arrives and is read; then the sender can go on.
      while (!flow.isQuiet) {
        for (const kind of ['chunk arrives', 'read', 'grant arrives'] as const) flow.step(kind)
      }
      ensure(flow.sender.available > 0, 'the stream stands still')
      ensure(flow.read.length === flow.sent, `${flow.read.length} read of ${flow.sent}`)
      ensure(
        flow.read.every((chunk, index) => chunk === index),
        'a chunk was reordered',
      )
    }),
    300,
  )
})

test('should refuse every chunk beyond the window when the sender does not keep to it', async (t) => {
  await holds(
    t,
    fc.property(windows, fc.integer({ min: 1, max: 5 }), (window, excess) => {
      const receiver = new ReceiveCredit(window)
      for (let chunk = 0; chunk < window; chunk += 1) receiver.receive()
      for (let chunk = 0; chunk < excess; chunk += 1) {
        ensure(codeThrownBy(() => receiver.receive()) === 'PROTOCOL_VIOLATION', 'it was accepted')
      }
    }),
  )
})

test('should hold as much credit as was granted, or refuse the grant and hold what it had, when a peer grants anything', async (t) => {
  const anything = fc.oneof(
    fc.integer({ min: 1, max: MAX_CREDIT }),
    fc.integer({ min: -3, max: 5_000 }),
    fc.double(),
    fc.maxSafeInteger(),
  )
  await holds(
    t,
    fc.property(fc.array(anything, { maxLength: 20 }), (grants) => {
      const credit = new SendCredit(1)
      let expected = 1
      for (const grant of grants) {
        const isFit = Number.isInteger(grant) && grant >= 1 && expected + grant <= MAX_CREDIT
        if (isFit) expected += grant
        const code = codeThrownBy(() => credit.grant(grant))
        ensure(code === (isFit ? null : 'PROTOCOL_VIOLATION'), `${grant} came to ${code}`)
        ensure(credit.available === expected, `${credit.available} instead of ${expected}`)
      }
    }),
    200,
  )
})
