using System.Text.Json;

namespace Virtigo.Installers.Ubuntu;

/// <summary>How something that the installer did came out.</summary>
internal enum ReportResult
{
    /// <summary>It has begun, or does not say.</summary>
    None,

    /// <summary>Well.</summary>
    Success,

    /// <summary>Well enough to go on.</summary>
    Warning,

    /// <summary>Not at all.</summary>
    Failure,
}

/// <summary>One thing that the installer reports: a step of its begins or ends.</summary>
/// <param name="Name">The step: names from the outermost to the innermost, a slash between two.</param>
/// <param name="Description">What it does, in words.</param>
/// <param name="Finished">Whether it ends.</param>
/// <param name="Result">How it ended.</param>
internal sealed record InstallerReport(string Name, string Description, bool Finished, ReportResult Result)
{
    /// <summary>The largest report that is read, in bytes.</summary>
    public const int MaxBytes = 256 << 10;

    private const int MaxText = 300;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 8 };

    /// <summary>Reads a report as curtin's webhook sends it.</summary>
    /// <param name="json">The body of the request.</param>
    /// <returns>The report, or null when it is none.</returns>
    public static InstallerReport? Parse(ReadOnlyMemory<byte> json)
    {
        if (json.Length > MaxBytes)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(json, s_options);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Word(root, "name") is not { Length: > 0 } name || Word(root, "event_type") is not { } type || type is not ("start" or "finish"))
            {
                return null;
            }

            bool finished = type == "finish";
            return new InstallerReport(name, Word(root, "description") ?? "", finished, finished
                ? Word(root, "result") switch { "SUCCESS" => ReportResult.Success, "WARN" => ReportResult.Warning, "FAIL" => ReportResult.Failure, _ => ReportResult.None }
                : ReportResult.None);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half a character in it.
            return null;
        }
    }

    private static string? Word(JsonElement report, string name) =>
        report.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.GetString() is { } text
            ? string.Concat(text.Take(MaxText).Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character))
            : null;
}
