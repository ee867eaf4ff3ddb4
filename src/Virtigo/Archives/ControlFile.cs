using System.Text;

namespace Virtigo.Archives;

/// <summary>Reads deb822 files: control, Release, Packages, apt's .sources. Every size is bounded.</summary>
internal static class ControlFile
{
    /// <summary>The longest line read, in characters.</summary>
    public const int MaxLine = 1 << 20;

    /// <summary>The largest paragraph read, in characters.</summary>
    public const int MaxParagraph = 16 << 20;

    /// <summary>The greatest number of fields in a paragraph.</summary>
    public const int MaxFields = 1000;

    /// <summary>Reads paragraphs as they are asked for.</summary>
    /// <param name="stream">UTF-8 text; left open.</param>
    /// <param name="name">What is read, for messages.</param>
    /// <exception cref="VirtigoException">The text is no deb822, or exceeds a bound (<see cref="FailureKind.Archive"/>).</exception>
    public static IEnumerable<ControlParagraph> Parse(Stream stream, string name = "control file") =>
        Parse(new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, leaveOpen: true), name);

    /// <inheritdoc cref="Parse(Stream, string)"/>
    public static IEnumerable<ControlParagraph> Parse(string text, string name = "control file") => Parse(new StringReader(text), name);

    /// <inheritdoc cref="Parse(Stream, string)"/>
    public static IEnumerable<ControlParagraph> Parse(TextReader reader, string name = "control file")
    {
        var lines = new LineReader(reader, name);
        var fields = new List<KeyValuePair<string, string>>();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        string? field = null;
        var value = new StringBuilder();
        int start = 0;
        int size = 0;
        while (lines.Next() is { } line)
        {
            if (line.AsSpan().Trim(" \t").IsEmpty)
            {
                if (field is not null)
                {
                    yield return Finish();
                }

                continue;
            }

            if (line[0] == '#')
            {
                continue;
            }

            size += line.Length + 1;
            if (size > MaxParagraph)
            {
                throw lines.Error($"a paragraph is larger than {MaxParagraph >> 20} MiB");
            }

            if (line[0] is ' ' or '\t')
            {
                if (field is null)
                {
                    throw lines.Error("a continuation line stands before any field");
                }

                value.Append('\n').Append(line.AsSpan().TrimEnd(" \t"));
                continue;
            }

            Keep();
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || !IsName(line.AsSpan(0, colon)))
            {
                throw lines.Error($"\"{Text.Shorten(line)}\" is no field, expected \"Name: value\"");
            }

            start = field is null ? lines.Number : start;
            field = line[..colon];
            if (!names.Add(field))
            {
                throw lines.Error($"the field \"{Text.Shorten(field)}\" is given twice");
            }

            value.Append(line.AsSpan(colon + 1).Trim(" \t"));
        }

        if (field is not null)
        {
            yield return Finish();
        }

        void Keep()
        {
            if (field is null)
            {
                return;
            }

            if (fields.Count >= MaxFields)
            {
                throw lines.Error($"a paragraph has more than {MaxFields} fields");
            }

            fields.Add(new(field, value.ToString()));
            value.Clear();
        }

        ControlParagraph Finish()
        {
            Keep();
            var paragraph = new ControlParagraph(fields, start);
            fields.Clear();
            names.Clear();
            field = null;
            size = 0;
            return paragraph;
        }
    }

    private static bool IsName(ReadOnlySpan<char> name) =>
        name[0] != '-' && !name.ContainsAnyExceptInRange('!', '~');

    private sealed class LineReader(TextReader reader, string name)
    {
        private readonly char[] _buffer = new char[16384];
        private readonly StringBuilder _line = new();
        private int _at;
        private int _end;

        public int Number { get; private set; }

        public string? Next()
        {
            _line.Clear();
            while (true)
            {
                if (_at == _end)
                {
                    _end = reader.Read(_buffer, 0, _buffer.Length);
                    _at = 0;
                    if (_end == 0)
                    {
                        return _line.Length == 0 ? null : Take();
                    }
                }

                ReadOnlySpan<char> rest = _buffer.AsSpan(_at, _end - _at);
                int feed = rest.IndexOf('\n');
                int length = feed < 0 ? rest.Length : feed;
                if (_line.Length + length > MaxLine)
                {
                    Number++;
                    throw Error($"a line is longer than {MaxLine} characters");
                }

                _line.Append(rest[..length]);
                _at += length + (feed < 0 ? 0 : 1);
                if (feed >= 0)
                {
                    return Take();
                }
            }
        }

        public VirtigoException Error(string what) => new(FailureKind.Archive, $"{name}, line {Number}: {what}.");

        private string Take()
        {
            Number++;
            if (_line.Length > 0 && _line[^1] == '\r')
            {
                _line.Length--;
            }

            return _line.ToString();
        }
    }
}
