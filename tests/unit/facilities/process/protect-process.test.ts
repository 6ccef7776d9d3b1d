import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { preventCoreDumps } from '../../../../facilities/process/protect-process.js'

/** A system whose processes have that limit; `permits` says whether it can be lowered. */
async function scene(t: Test, limit: string, permits = true) {
  const processFolder = await t.tmp()
  const limits = `Max stack size   8388608   unlimited   bytes\nMax core file size   ${limit}   bytes\n`
  await writeFile(join(processFolder, 'limits'), limits)
  await writeFile(join(processFolder, 'coredump_filter'), 'ff\n')
  let lowered = 0
  const prevent = () =>
    preventCoreDumps({
      processFolder,
      lowerLimit: async () => {
        lowered += 1
        if (!permits) throw new Error('prlimit is not installed')
      },
    })
  const filter = () => readFile(join(processFolder, 'coredump_filter'), 'utf8')
  return { processFolder, prevent, filter, lowered: () => lowered }
}

test('should leave memory out of core dumps and lower their limit when it allows them', async (t) => {
  const { prevent, filter, lowered } = await scene(t, 'unlimited unlimited')
  t.is(await prevent(), true)
  t.ok((await filter()).startsWith('0'))
  t.is(lowered(), 1)
})

test('should start no other program when the limit is 0 already', async (t) => {
  const { prevent, filter, lowered } = await scene(t, '0 unlimited')
  t.is(await prevent(), true)
  t.ok((await filter()).startsWith('0'))
  t.is(lowered(), 0)
})

test('should be content with one of the two ways when the other is barred', async (t) => {
  t.is(await (await scene(t, '1024 1024', false)).prevent(), true)
  const { processFolder, prevent, lowered } = await scene(t, '1024 1024')
  await barFilter(processFolder)
  t.is(await prevent(), true)
  t.is(lowered(), 1)
})

test('should say so when neither way is open', async (t) => {
  const { processFolder, prevent } = await scene(t, '1024 1024', false)
  await barFilter(processFolder)
  t.is(await prevent(), false)
})

test('should do nothing when the system has no such files', async (t) => {
  let lowered = 0
  const lowerLimit = async () => {
    lowered += 1
  }
  const processFolder = join(await t.tmp(), 'proc')
  t.is(await preventCoreDumps({ processFolder, lowerLimit }), true)
  t.is(lowered, 0)
})

/** A folder in the place of the file cannot be written, not even by root. */
async function barFilter(processFolder: string): Promise<void> {
  await rm(join(processFolder, 'coredump_filter'))
  await mkdir(join(processFolder, 'coredump_filter'))
}
