using System.Globalization;

namespace Virtigo.Images;

/// <summary>The text that LVM describes its volumes in: named sections, and numbers within them. Strings are not kept.</summary>
internal sealed class LvmText
{
    private const int MostDepth = 8;
    private const int MostSections = 100_000;
    private const long MostNumber = 1L << 40;
    private readonly Dictionary<string, long> _numbers = new(StringComparer.Ordinal);

    /// <summary>The sections within, in their order.</summary>
    public OrderedDictionary<string, LvmText> Sections { get; } = new(StringComparer.Ordinal);

    /// <summary>A number, or the one number in a list of strings and a number; null when there is none, or an unlikely one.</summary>
    public long? Number(string key) => _numbers.TryGetValue(key, out long number) ? number : null;

    /// <summary>Reads it; null when it is no such text.</summary>
    public static LvmText? Parse(string text)
    {
        var open = new Stack<LvmText>([new LvmText()]);
        string? name = null;
        bool list = false, value = false;
        int sections = 0;
        for (int at = 0; at < text.Length;)
        {
            char here = text[at];
            if (here == '#')
            {
                at = text.IndexOf('\n', at) is >= 0 and var end ? end : text.Length;
            }
            else if (here == '"')
            {
                int end = EndOfString(text, at + 1);
                (at, value) = (end + 1, list && value);
            }
            else if (IsWord(here))
            {
                int end = at;
                while (end < text.Length && IsWord(text[end]))
                {
                    end++;
                }

                string word = text[at..end];
                if (!value)
                {
                    name = word;
                }
                else if (name is not null && long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= MostNumber)
                {
                    // Of a list with several numbers none is meant.
                    if (!open.Peek()._numbers.TryAdd(name, number))
                    {
                        open.Peek()._numbers.Remove(name);
                    }
                }

                (at, value) = (end, list && value);
            }
            else
            {
                at++;
                switch (here)
                {
                    case '=':
                        value = true;
                        break;
                    case '[':
                        list = value;
                        break;
                    case ']':
                        (list, value) = (false, false);
                        break;
                    case '{':
                        var section = new LvmText();
                        if (name is null || open.Count > MostDepth || ++sections > MostSections || !open.Peek().Sections.TryAdd(name, section))
                        {
                            return null;
                        }

                        open.Push(section);
                        break;
                    case '}':
                        open.Pop();
                        if (open.Count == 0)
                        {
                            return null;
                        }

                        break;
                }
            }
        }

        return open.Count == 1 ? open.Pop() : null;
    }

    private static int EndOfString(string text, int at)
    {
        while (at < text.Length && text[at] != '"')
        {
            at += text[at] == '\\' ? 2 : 1;
        }

        return at;
    }

    private static bool IsWord(char here) => char.IsAsciiLetterOrDigit(here) || here is '_' or '.' or '+' or '-';
}
