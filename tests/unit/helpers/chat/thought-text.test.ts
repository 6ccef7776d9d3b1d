import test from 'brittle'
import { THINK_TAGS, thoughtSyntaxOf } from '../../../../helpers/chat/thought-syntax.js'
import { ThoughtText } from '../../../../helpers/chat/thought-text.js'

/** What comes out of a text in pieces: for each piece, what each segment is and says. */
function segmentsOf(pieces: readonly string[], isOpen = false): string[][] {
  const text = new ThoughtText(THINK_TAGS, isOpen)
  const steps = pieces.map((piece) => text.push(piece))
  return [...steps, text.end()].map((segments) =>
    segments.map(({ kind, text: said }) => `${kind} ${said}`),
  )
}

test('should separate a thought from the answer, and both from the marks', (t) => {
  t.alike(segmentsOf(['<think>', '\nHm', '.\n', '</think>', '\n\n', 'Yes', '.\n']), [
    ['mark <think>'],
    ['mark \n', 'thought Hm'],
    ['thought .'],
    ['mark \n</think>'],
    ['mark \n\n'],
    ['answer Yes'],
    ['answer .\n'],
    [],
  ])
})

test('should find marks wherever the pieces are cut', (t) => {
  t.alike(segmentsOf(['\n<th', 'ink>Hm </', 'th', 'ink> Yes']), [
    [],
    ['mark \n<think>', 'thought Hm'],
    [],
    ['mark  </think>', 'mark  ', 'answer Yes'],
    [],
  ])
})

test('should begin within the thought when the prompt has opened it', (t) => {
  t.alike(segmentsOf(['Hm', '</think>', 'Yes'], true), [
    ['thought Hm'],
    ['mark </think>'],
    ['answer Yes'],
    [],
  ])
})

test('should take everything for the answer when it does not begin with a thought', (t) => {
  t.alike(segmentsOf(['The tag ', '<think>', ' opens', '</think>']), [
    ['answer The tag '],
    ['answer <think>'],
    ['answer  opens'],
    ['answer </think>'],
    [],
  ])
  t.alike(segmentsOf(['<thin', ' ice']), [[], ['answer <thin ice'], []])
})

test('should let out what it held back when the text ends', (t) => {
  t.alike(segmentsOf(['\n<thi']), [[], ['answer \n<thi']])
  t.alike(segmentsOf(['<think>Hm', '\n</thi']), [
    ['mark <think>', 'thought Hm'],
    [],
    ['thought \n</thi'],
  ])
  t.alike(segmentsOf(['Hm</think>\n'], true), [['thought Hm', 'mark </think>', 'mark \n'], []])
})

test('should not hold back white space without end', (t) => {
  const spaces = ' '.repeat(1000)
  t.alike(segmentsOf([spaces]), [[`answer ${spaces}`], []])
  t.alike(segmentsOf(['x', spaces], true), [['thought x'], [`thought ${spaces}`], []])
})

test('should know the marks that a chat template uses', (t) => {
  const qwen =
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
  t.alike(thoughtSyntaxOf(qwen), THINK_TAGS)
  t.alike(thoughtSyntaxOf("{{ '<|Assistant|><think>\\n' }}"), THINK_TAGS)
  t.is(thoughtSyntaxOf('[SYSTEM_PROMPT]Draft your thoughts within [THINK][/THINK].'), null)
  t.is(thoughtSyntaxOf("{{ '[THINK]' + message.thought + '[/THINK]' }}")?.opening, '[THINK]')
  t.is(thoughtSyntaxOf("{{ '<|im_start|>assistant\\n' }}"), null)
})

test('should not believe that a model thinks whose template only has the empty thought', (t) => {
  const inherited =
    "{% if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
  t.is(thoughtSyntaxOf(inherited), null)
})
