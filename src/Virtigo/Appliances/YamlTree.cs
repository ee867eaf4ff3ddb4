using System.Globalization;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Virtigo.Appliances;

/// <summary>A part of a YAML file and where it starts; lines and columns count from 1.</summary>
internal abstract record YamlItem(int Line, int Column)
{
    /// <summary>The file it stands in, where that is another than the one being read: one that is included there.</summary>
    public string? File { get; init; }
}

/// <summary>A scalar. <paramref name="Plain"/>: written without quotes, so that <c>null</c> and the like mean what YAML says.</summary>
internal sealed record YamlText(string Value, bool Plain, int Line, int Column) : YamlItem(Line, Column)
{
    /// <summary>Where in the text the scalar stands, quotes included.</summary>
    public Range Source { get; init; }

    /// <summary>Whether a variable's value is in it.</summary>
    public bool FromVariable { get; init; }

    public bool IsNull => Plain && Value is "" or "~" or "null" or "Null" or "NULL";
}

internal sealed record YamlList(IReadOnlyList<YamlItem> Items, int Line, int Column) : YamlItem(Line, Column);

internal sealed record YamlMap(IReadOnlyList<(YamlText Key, YamlItem Value)> Entries, int Line, int Column) : YamlItem(Line, Column)
{
    /// <summary>The value of a key, or null.</summary>
    public YamlItem? Find(string key) => Entries.FirstOrDefault(entry => entry.Key.Value == key).Value;
}

/// <summary>
/// Reads the YAML that Virtigo's files are written in: one document of mappings, lists and scalars.
/// Anchors, aliases and tags are refused, which leaves nothing that grows beyond the size of the file.
/// </summary>
internal sealed class YamlTree
{
    private const int MaxDepth = 16;
    private const int MaxItems = 50_000;
    private readonly Parser _parser;
    private readonly SpecProblems _problems;
    private readonly string? _file;
    private int _items;

    private YamlTree(TextReader text, SpecProblems problems, string? file)
    {
        _parser = new Parser(text);
        _problems = problems;
        _file = file;
    }

    /// <summary>Reads the whole text. Null: the text is empty, or so broken that it has no tree; then there is a problem.</summary>
    /// <param name="text">The text.</param>
    /// <param name="problems">What is wrong is added here.</param>
    /// <param name="file">The text's file, where it is not that of <paramref name="problems"/>.</param>
    public static YamlItem? Read(string text, SpecProblems problems, string? file = null)
    {
        var tree = new YamlTree(new StringReader(text), problems, file);
        try
        {
            return tree.ReadStream();
        }
        catch (YamlException broken)
        {
            tree.Problem(broken.Start, $"this is not YAML: {broken.Message.TrimEnd('.')}");
            return null;
        }
        catch (Exception broken) when (broken is IOException or ArgumentException or InvalidOperationException or FormatException or OverflowException)
        {
            // The parser meets some malformed text unprepared; the last part it understood is the best position there is.
            Mark last = tree._parser.Current?.Start ?? Mark.Empty;
            tree.Problem(last, "this is not YAML from here on");
            return null;
        }
    }

    /// <summary>Reads a file of at most <paramref name="maxBytes"/> as UTF-8.</summary>
    public static async Task<string> ReadFileAsync(string path, int maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 4096, useAsync: true);
            var bytes = new MemoryStream();
            byte[] buffer = new byte[16 * 1024];
            for (int read; (read = await file.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > maxBytes)
                {
                    throw new VirtigoException(FailureKind.Usage,
                        string.Create(CultureInfo.InvariantCulture, $"{path} is larger than {maxBytes} bytes, so it is no such file."),
                        "Name a file with the keys that `virtigo schema` lists.");
                }
            }

            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
        catch (DecoderFallbackException broken)
        {
            throw new VirtigoException(FailureKind.Usage, $"{path} is not UTF-8 text.", "Save the file as UTF-8.", broken);
        }
        catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"{path} cannot be read: {broken.Message}",
                "Give the path of a readable file, or the name of a distribution, as in: virtigo build debian", broken);
        }
    }

    private YamlItem? ReadStream()
    {
        _parser.Consume<StreamStart>();
        if (_parser.TryConsume<StreamEnd>(out _))
        {
            return null;
        }

        _parser.Consume<DocumentStart>();
        YamlItem root = ReadItem(0);
        _parser.Consume<DocumentEnd>();
        if (_parser.TryConsume<DocumentStart>(out DocumentStart? second))
        {
            Problem(second.Start, "a second document starts here; expected one document in the file");
        }

        return root;
    }

    private YamlItem ReadItem(int depth)
    {
        ParsingEvent current = _parser.Current ?? throw new YamlException("unexpected end of the text");
        (int line, int column) = ((int)current.Start.Line, (int)current.Start.Column);
        if (depth > MaxDepth || ++_items > MaxItems)
        {
            throw new YamlException(current.Start, current.End, depth > MaxDepth ? "nested too deeply" : "too many items");
        }

        if (current is NodeEvent { Anchor.IsEmpty: false } && current is not AnchorAlias)
        {
            Problem(current.Start, "anchors (&name) are not supported; write the value where it is needed");
        }

        switch (current)
        {
            case Scalar scalar:
                _parser.MoveNext();
                RefuseTag(scalar);
                return new YamlText(scalar.Value, scalar.Style == ScalarStyle.Plain, line, column)
                {
                    Source = (int)scalar.Start.Index..(int)scalar.End.Index,
                    File = _file,
                };

            case SequenceStart sequence:
                RefuseTag(sequence);
                _parser.MoveNext();
                var items = new List<YamlItem>();
                while (!_parser.TryConsume<SequenceEnd>(out _))
                {
                    items.Add(ReadItem(depth + 1));
                }

                return new YamlList(items, line, column) { File = _file };

            case MappingStart mapping:
                RefuseTag(mapping);
                _parser.MoveNext();
                return ReadMap(depth, line, column);

            default:
                _parser.MoveNext();
                Problem(current.Start, "aliases (*name) are not supported; write the value itself, or quote a text that begins with a star");
                return new YamlText("", true, line, column) { File = _file };
        }
    }

    private YamlMap ReadMap(int depth, int line, int column)
    {
        var entries = new List<(YamlText, YamlItem)>();
        var seen = new Dictionary<string, int>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            YamlItem key = ReadItem(depth + 1);
            YamlItem value = ReadItem(depth + 1);
            if (key is not YamlText name)
            {
                _problems.Add(key, "expected a key here, not a list or a mapping; a text that begins with {{ needs quotes");
            }
            else if (!seen.TryAdd(name.Value, name.Line))
            {
                _problems.Add(key, string.Create(CultureInfo.InvariantCulture,
                    $"{SpecProblems.Quote(name.Value)} is given twice, first in line {seen[name.Value]}; keep one"));
            }
            else
            {
                entries.Add((name, value));
            }
        }

        return new YamlMap(entries, line, column) { File = _file };
    }

    private void Problem(Mark place, string text) => _problems.Add(new YamlText("", true, (int)place.Line, (int)place.Column) { File = _file }, text);

    private void RefuseTag(NodeEvent node)
    {
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
        {
            Problem(node.Start, "tags (!name) are not supported; write the plain value");
        }
    }
}
