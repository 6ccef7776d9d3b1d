import test from 'brittle'
import fc from 'fast-check'
import { agreeOnVersion } from '../../../../helpers/protocol/hello-message.js'
import { ensure, holds } from '../../../helpers/property.js'

const version = fc.integer({ min: 1, max: 12 })
const range = fc.record({ lowest: version, highest: version })

test('should agree on the highest version that both speak, whoever asks, for any two ranges', async (t) => {
  await holds(
    t,
    fc.property(range, range, (ours, theirs) => {
      const speaks = ({ lowest, highest }: typeof ours, one: number) =>
        one >= lowest && one <= highest
      const common = Array.from({ length: 12 }, (_, index) => index + 1).filter(
        (one) => speaks(ours, one) && speaks(theirs, one),
      )
      const agreed = agreeOnVersion(ours, theirs)
      ensure(agreed === common.at(-1), `${agreed} instead of ${common.at(-1)}`)
      ensure(agreeOnVersion(theirs, ours) === agreed, 'the other end came to another version')
    }),
    500,
  )
})
