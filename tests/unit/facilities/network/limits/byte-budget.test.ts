import test from 'brittle'
import { ByteBudget } from '../../../../../facilities/network/limits/byte-budget.js'

/** A budget of 100 bytes, 70 for clients, 40 for one of them and 80 for a worker. */
function scene() {
  const budget = new ByteBudget({
    most: 100,
    mostOfClients: 70,
    mostPerClient: 40,
    mostPerWorker: 80,
  })
  const cut: string[] = []
  const open = (name: string, key = name, isWorker = false) => {
    let heldBytes = 0
    const account = budget.open(
      { key, name, isWorker },
      { measure: () => heldBytes, cut: () => cut.push(name) },
    )
    return {
      hold: (bytes: number) => {
        heldBytes = bytes
        account.set(bytes)
      },
      /** Holds less, and says nothing of it. */
      shrink: (bytes: number) => {
        heldBytes = bytes
      },
      close: () => account.close(),
    }
  }
  return { budget, cut, open }
}

test('should cut the largest connection of a key when the key holds more than it may', (t) => {
  const { budget, cut, open } = scene()
  const [one, two] = [open('one', 'a'), open('two', 'a')]
  open('other').hold(20)
  one.hold(25)
  two.hold(15)
  t.alike(cut, [])
  two.hold(16)
  t.alike(cut, ['one'])
  t.is(budget.bytes, 36)
})

test('should cut those who hold most first when all clients together hold too much', (t) => {
  const { cut, open } = scene()
  open('small').hold(5)
  open('gateway', 'gateway', true).hold(30)
  open('large').hold(40)
  open('middle').hold(20)
  t.alike(cut, [])
  open('newcomer').hold(6)
  t.alike(cut, ['large'])
})

test('should cut nobody for what clients hold when workers are the ones who grow', (t) => {
  const { cut, open } = scene()
  open('client').hold(40)
  const gateway = open('gateway', 'gateway', true)
  gateway.hold(60)
  t.alike(cut, [])
  gateway.hold(61)
  t.alike(cut, ['gateway'], 'it holds most')
})

test('should measure again before a connection is closed', (t) => {
  const { budget, cut, open } = scene()
  const [one, two] = [open('one', 'a'), open('two', 'a')]
  one.hold(40)
  one.shrink(0)
  two.hold(40)
  t.alike(cut, [])
  t.is(budget.bytes, 40)
})

test('should count a connection no more when it is closed', (t) => {
  const { budget, cut, open } = scene()
  const one = open('one', 'a')
  one.hold(40)
  one.close()
  one.hold(40)
  one.close()
  t.is(budget.bytes, 0)
  open('two', 'a').hold(40)
  t.alike(cut, [])
})
