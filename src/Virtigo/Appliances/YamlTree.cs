using System.Globalization;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Virtigo.Appliances;

/// <summary>A part of a YAML file and where it starts; lines and columns count from 1.</summary>
internal abstract record YamlItem(int Line, int Column);

/// <summary>A scalar. <paramref name="Plain"/>: written without quotes, so that <c>null</c> and the like mean what YAML says.</summary>
internal sealed record YamlText(string Value, bool Plain, int Line, int Column) : YamlItem(Line, Column)
{
    /// <summary>Where in the text the scalar stands, quotes included.</summary>
    public Range Source { get; init; }

    public bool IsNull => Plain && Value is "" or "~" or "null" or "Null" or "NULL";
}

internal sealed record YamlList(IReadOnlyList<YamlItem> Items, int Line, int Column) : YamlItem(Line, Column);

internal sealed record YamlMap(IReadOnlyList<(YamlText Key, YamlItem Value)> Entries, int Line, int Column) : YamlItem(Line, Column);

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
    private int _items;

    private YamlTree(TextReader text, SpecProblems problems)
    {
        _parser = new Parser(text);
        _problems = problems;
    }

    /// <summary>Reads the whole text. Null: the text is empty, or so broken that it has no tree; then there is a problem.</summary>
    public static YamlItem? Read(string text, SpecProblems problems)
    {
        var tree = new YamlTree(new StringReader(text), problems);
        try
        {
            return tree.ReadStream();
        }
        catch (YamlException broken)
        {
            problems.Add((int)broken.Start.Line, (int)broken.Start.Column, $"this is not YAML: {broken.Message.TrimEnd('.')}");
            return null;
        }
        catch (Exception broken) when (broken is IOException or ArgumentException or InvalidOperationException or FormatException or OverflowException)
        {
            // The parser meets some malformed text unprepared; the last part it understood is the best position there is.
            Mark last = tree._parser.Current?.Start ?? Mark.Empty;
            problems.Add((int)last.Line, (int)last.Column, "this is not YAML from here on");
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
            _problems.Add((int)second.Start.Line, (int)second.Start.Column, "a second document starts here; expected one document in the file");
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
            _problems.Add(line, column, "anchors (&name) are not supported; write the value where it is needed");
        }

        switch (current)
        {
            case Scalar scalar:
                _parser.MoveNext();
                RefuseTag(scalar);
                return new YamlText(scalar.Value, scalar.Style == ScalarStyle.Plain, line, column)
                {
                    Source = (int)scalar.Start.Index..(int)scalar.End.Index,
                };

            case SequenceStart sequence:
                RefuseTag(sequence);
                _parser.MoveNext();
                var items = new List<YamlItem>();
                while (!_parser.TryConsume<SequenceEnd>(out _))
                {
                    items.Add(ReadItem(depth + 1));
                }

                return new YamlList(items, line, column);

            case MappingStart mapping:
                RefuseTag(mapping);
                _parser.MoveNext();
                return ReadMap(depth, line, column);

            default:
                _parser.MoveNext();
                _problems.Add(line, column, "aliases (*name) are not supported; write the value itself, or quote a text that begins with a star");
                return new YamlText("", true, line, column);
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
                _problems.Add(key, "expected a key here, not a list or a mapping");
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

        return new YamlMap(entries, line, column);
    }

    private void RefuseTag(NodeEvent node)
    {
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
        {
            _problems.Add((int)node.Start.Line, (int)node.Start.Column, "tags (!name) are not supported; write the plain value");
        }
    }
}
