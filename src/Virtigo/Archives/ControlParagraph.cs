using System.Text;

namespace Virtigo.Archives;

/// <summary>One paragraph of a deb822 file. Field names compare without case; the order of the fields is kept.</summary>
internal sealed class ControlParagraph
{
    private readonly List<KeyValuePair<string, string>> _fields;

    /// <summary>Creates a paragraph from its fields, in order.</summary>
    /// <param name="fields">Names and values; further lines of a value start with a space, as in the file.</param>
    /// <param name="line">The line of the file it starts at, from 1; 0 when it comes from no file.</param>
    public ControlParagraph(IEnumerable<KeyValuePair<string, string>> fields, int line = 0)
    {
        _fields = [.. fields];
        Line = line;
    }

    /// <summary>The line of the file the paragraph starts at, from 1; 0 when it comes from no file.</summary>
    public int Line { get; }

    /// <summary>The fields in the order of the file.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Fields => _fields;

    /// <summary>A field's value, further lines still starting with their space; null when the field is absent.</summary>
    public string? this[string name]
    {
        get
        {
            foreach (KeyValuePair<string, string> field in _fields)
            {
                if (field.Key.Equals(name, StringComparison.OrdinalIgnoreCase))
                {
                    return field.Value;
                }
            }

            return null;
        }
    }

    /// <summary>A field's value, or an error that names the field.</summary>
    /// <param name="name">The field.</param>
    /// <param name="where">What the paragraph describes, for the message.</param>
    public string Require(string name, string where) => this[name] ?? throw new VirtigoException(
        FailureKind.Archive, $"{where} lacks the field \"{name}\".", "The file is not what a Debian archive holds; use another mirror.");

    /// <summary>The lines of a field, trimmed, without empty ones; a line of a single dot stands for an empty one and is left out.</summary>
    public IEnumerable<string> Lines(string name) => (this[name] ?? "")
        .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Where(line => line != ".");

    /// <summary>The words of a field, separated by white space.</summary>
    public IReadOnlyList<string> Words(string name) =>
        (this[name] ?? "").Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The same paragraph with a field set, in its place or at the end.</summary>
    public ControlParagraph With(string name, string value)
    {
        List<KeyValuePair<string, string>> fields = [.. _fields];
        int at = fields.FindIndex(field => field.Key.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (at < 0)
        {
            fields.Add(new(name, value));
        }
        else
        {
            fields[at] = new(fields[at].Key, value);
        }

        return new ControlParagraph(fields, Line);
    }

    /// <summary>The same paragraph without a field.</summary>
    public ControlParagraph Without(string name) =>
        new(_fields.Where(field => !field.Key.Equals(name, StringComparison.OrdinalIgnoreCase)), Line);

    /// <summary>The paragraph as in a file, ending with a line break, without the empty line that separates it from the next.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach ((string name, string value) in _fields)
        {
            text.Append(name).Append(':');
            if (value.Length > 0 && value[0] != '\n')
            {
                text.Append(' ');
            }

            text.Append(value).Append('\n');
        }

        return text.ToString();
    }
}
