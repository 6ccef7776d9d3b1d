import test from 'brittle'
import { type Resource, ResourceStack } from '../../../../facilities/worker/resource-stack.js'
import { rejectionOf } from '../../../helpers/until.js'

/** Resources that write down what happens to them. */
function recorded() {
  const events: string[] = []
  const resource = (name: string, failing: Partial<Record<'ready' | 'close', Error>> = {}) => {
    const step = (what: 'ready' | 'close') => async () => {
      events.push(`${what} ${name}`)
      await Promise.resolve()
      if (failing[what]) throw failing[what]
      events.push(`${what} ${name} done`)
    }
    return { ready: step('ready'), close: step('close') } satisfies Resource
  }
  return { events, resource }
}

test('should close one after the other in reverse order when it is closed', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  const first = resource('1')
  t.is(await stack.open(first), first)
  await stack.open(resource('2'))
  await stack.open(resource('3'))
  events.length = 0
  await stack.close()
  t.alike(events, [
    ...['close 3', 'close 3 done'],
    ...['close 2', 'close 2 done'],
    ...['close 1', 'close 1 done'],
  ])
})

test('should close everything and report the first failure when several fail to close', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  const [one, three] = [new Error('1'), new Error('3')]
  await stack.open(resource('1', { close: one }))
  await stack.open(resource('2'))
  await stack.open(resource('3', { close: three }))
  t.is(await rejectionOf(stack.close()), three)
  t.ok(events.includes('close 2 done'))
  t.ok(events.includes('close 1'))
})

test('should close everything when one fails without a promise', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  await stack.open(resource('1'))
  const error = new Error('at once')
  await stack.open({
    ready: async () => undefined,
    close: () => {
      throw error
    },
  })
  t.is(await rejectionOf(stack.close()), error)
  t.ok(events.includes('close 1 done'))
})

test('should close what failed to open when it is closed', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  const error = new Error('port taken')
  await stack.open(resource('1'))
  t.is(await rejectionOf(stack.open(resource('2', { ready: error }))), error)
  await stack.close()
  t.alike(events.slice(3), ['close 2', 'close 2 done', 'close 1', 'close 1 done'])
})

test('should close each once when it is closed several times', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  await stack.open(resource('1'))
  await Promise.all([stack.close(), stack.close()])
  await stack.close()
  t.is(events.filter((event) => event === 'close 1').length, 1)
})

test('should close what is opened while it closes, too', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  await stack.open(resource('1'))
  const closing = stack.close()
  await stack.open(resource('late'))
  await closing
  t.ok(events.includes('close late done'))
})

test('should refuse a new resource when everything is already closed', async (t) => {
  const { events, resource } = recorded()
  const stack = new ResourceStack()
  await stack.close()
  await t.exception(stack.open(resource('late')), { code: 'DRAINING' })
  t.alike(events, [])
})

test('should have nothing to do when nothing was opened', async (t) => {
  t.is(await new ResourceStack().close(), undefined)
})
