import test from 'brittle'
import { PromptLines } from '../../../../helpers/text/prompt-lines.js'

/** What becomes of lines that are typed one after the other. */
function prompts(...typed: string[]): (string | undefined)[] {
  const lines = new PromptLines()
  return typed.map((line) => lines.push(line))
}

test('should be a prompt of its own when nothing says that a line goes on', (t) => {
  t.alike(prompts('one', '', ' two', 'a\\b'), ['one', '', ' two', 'a\\b'])
})

test('should go on in the next line when a backslash ends one', (t) => {
  t.alike(prompts('one \\', 'two\\', '', 'three'), [undefined, undefined, 'one \ntwo\n', 'three'])
})

test('should go on until the quotes end', (t) => {
  t.alike(prompts('"""', 'one\\', '', '  two', '"""', 'three'), [
    undefined,
    undefined,
    undefined,
    undefined,
    'one\\\n\n  two',
    'three',
  ])
  t.alike(prompts('"""one', 'two""" '), [undefined, 'one\ntwo'])
  t.alike(prompts('"""one"""', '""""""', 'a """'), ['one', '', 'a """'])
  t.alike(prompts('""""', '"""'), [undefined, '"'])
})

test('should take pasted lines as they are, and end with what is completed by hand', (t) => {
  const lines = new PromptLines()
  lines.paste('"""A docstring that ends here."""', '')
  lines.paste('x = "\\', '')
  t.absent(lines.isEmpty)
  t.is(lines.push('print(x)'), '"""A docstring that ends here."""\nx = "\\\nprint(x)')
  t.ok(lines.isEmpty)
  lines.paste('"""one', '"""')
  t.is(lines.push('two'), undefined, 'the quotes were typed')
  t.is(lines.push('"""'), 'one\ntwo')
})

test('should forget what waits when it is cleared', (t) => {
  const lines = new PromptLines()
  lines.push('"""')
  lines.push('one')
  lines.clear()
  t.ok(lines.isEmpty)
  t.is(lines.push('two'), 'two')
})
