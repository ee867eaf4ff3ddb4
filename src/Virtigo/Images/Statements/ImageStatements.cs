using System.Text.Encodings.Web;
using System.Text.Json;

namespace Virtigo.Images;

/// <summary>A form of statement about an image that other tools read.</summary>
public enum StatementFormat
{
    /// <summary>The software in it: SPDX 2.3.</summary>
    Spdx,

    /// <summary>The software in it: CycloneDX 1.5.</summary>
    CycloneDx,

    /// <summary>How it was made: an in-toto statement with SLSA provenance, both of version 1.</summary>
    Provenance,
}

/// <summary>Writes what a manifest says in the forms that other tools read. The same manifest gives the same bytes; it holds no secret.</summary>
public static class ImageStatements
{
    // Relaxed: these are files and not parts of web pages.
    private static readonly JsonWriterOptions s_options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a statement as JSON, with a line end after it.</summary>
    /// <param name="manifest">The image's manifest.</param>
    /// <param name="format">The form.</param>
    public static string Write(ImageManifest manifest, StatementFormat format)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, s_options))
        {
            switch (format)
            {
                case StatementFormat.Spdx:
                    SpdxDocument.Write(json, manifest);
                    break;
                case StatementFormat.CycloneDx:
                    CycloneDxDocument.Write(json, manifest);
                    break;
                case StatementFormat.Provenance:
                    ProvenanceStatement.Write(json, manifest);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(format));
            }
        }

        return System.Text.Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length) + "\n";
    }
}
