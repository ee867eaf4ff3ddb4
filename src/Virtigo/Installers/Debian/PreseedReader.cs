using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>Splits a preseed file into its entries. Any text is accepted; nothing throws.</summary>
internal static class PreseedReader
{
    private const int MaximumEntries = 20_000;

    /// <summary>The entries: comments and empty lines left out, continued lines joined.</summary>
    /// <param name="text">The file's text.</param>
    public static IEnumerable<PreseedLine> Read(string text)
    {
        int number = 0, start = 0, entries = 0;
        StringBuilder? joined = null;
        foreach (ReadOnlyMemory<char> raw in Lines(text))
        {
            number++;
            string line = raw.Span.TrimEnd('\r').ToString();
            if (line.StartsWith('#') || string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            if (line.EndsWith('\\'))
            {
                joined ??= Begin(number, ref start);
                Append(joined, line[..^1].TrimEnd());
                continue;
            }

            if (joined is null)
            {
                start = number;
                yield return Split(number, line);
            }
            else
            {
                Append(joined, line);
                yield return Split(start, joined.ToString());
                joined = null;
            }

            if (++entries == MaximumEntries)
            {
                yield break;
            }
        }

        if (joined is not null)
        {
            yield return Split(start, joined.ToString());
        }
    }

    /// <summary>The lines of a text, without their line feeds.</summary>
    public static IEnumerable<ReadOnlyMemory<char>> Lines(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end;
            yield return text.AsMemory(at, end - at);
            at = end + 1;
        }
    }

    private static StringBuilder Begin(int number, ref int start)
    {
        start = number;
        return new StringBuilder();
    }

    private static void Append(StringBuilder joined, string line) =>
        joined.Append(joined.Length == 0 ? line : " " + line.TrimStart());

    private static PreseedLine Split(int number, string line)
    {
        var fields = new List<string>();
        var columns = new List<int>();
        string gap = "";
        int at = BlanksFrom(line, 0);
        while (fields.Count < 3 && at < line.Length)
        {
            int end = at;
            while (end < line.Length && !IsBlank(line[end]))
            {
                end++;
            }

            fields.Add(line[at..end]);
            columns.Add(at + 1);
            at = BlanksFrom(line, end);
            if (fields.Count == 3)
            {
                gap = line[end..at];
            }
        }

        if (at < line.Length)
        {
            fields.Add(line[at..]);
            columns.Add(at + 1);
        }

        return new PreseedLine(number, fields, columns.Count > 0 ? columns : [1], gap);
    }

    private static int BlanksFrom(string line, int at)
    {
        while (at < line.Length && IsBlank(line[at]))
        {
            at++;
        }

        return at;
    }

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\v' or '\f' or '\r';
}
