import test from 'brittle'
import { NativeWork } from '../../../../../../../facilities/engine/llama/child/model/native-work.js'
import { StarlingError } from '../../../../../../../helpers/errors/starling-error.js'

const CLOSED = new StarlingError('DRAINING', 'closed')

test('should close only when what runs has ended, however it ends', async (t) => {
  const work = new NativeWork()
  let succeed = (): void => undefined
  let fail = (_: Error): void => undefined
  const one = work.run(() => new Promise<void>((resolve) => (succeed = resolve)))
  const other = work.run(() => new Promise<void>((_, reject) => (fail = reject)))
  let isClosed = false
  const closing = work.close(CLOSED).then(() => (isClosed = true))
  succeed()
  await one
  t.absent(isClosed)
  fail(new Error('broken'))
  await t.exception(other, /broken/)
  await closing
  t.ok(isClosed)
})

test('should let nothing begin once it is closed', async (t) => {
  const work = new NativeWork()
  work.throwIfClosed()
  await work.close(CLOSED)
  t.exception(() => work.throwIfClosed(), { code: 'DRAINING' })
  await t.exception(
    work.run(async () => t.fail('began')),
    { code: 'DRAINING' },
  )
})
