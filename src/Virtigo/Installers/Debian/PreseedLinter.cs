namespace Virtigo.Installers.Debian;

/// <summary>Finds what is wrong in a preseed file for debian-installer: what is ignored, misread, waited for, or unsafe.</summary>
public static class PreseedLinter
{
    /// <summary>The findings after which the linter stops looking.</summary>
    public const int MaximumFindings = 1000;

    /// <summary>Checks a preseed file.</summary>
    /// <param name="text">The file's text. Any text is accepted.</param>
    /// <param name="templates">The questions of the installer in use; null to check form and safety only.</param>
    /// <returns>The findings, in the file's order; at most <see cref="MaximumFindings"/>.</returns>
    public static IReadOnlyList<PreseedFinding> Lint(string text, TemplateCatalog? templates)
    {
        ArgumentNullException.ThrowIfNull(text);
        var findings = new List<PreseedFinding>();
        Lines(text, findings);
        var entries = new List<PreseedLine>();
        foreach (PreseedLine entry in PreseedReader.Read(text))
        {
            if (PreseedForm.Check(entry, findings))
            {
                entries.Add(entry);
                PreseedValues.Check(entry, templates, findings);
                PreseedSafety.Check(entry, findings);
            }

            if (findings.Count >= MaximumFindings)
            {
                break;
            }
        }

        PreseedWhole.Check(entries, findings);
        return [.. findings.OrderBy(f => f.Line).ThenBy(f => f.Column).Take(MaximumFindings)];
    }

    private static void Lines(string text, List<PreseedFinding> findings)
    {
        int number = 0, carriageReturns = 0, first = 0;
        foreach (ReadOnlyMemory<char> line in PreseedReader.Lines(text))
        {
            number++;
            if (line.Span.EndsWith("\r") && carriageReturns++ == 0)
            {
                first = number;
            }
        }

        if (carriageReturns > 0)
        {
            findings.Add(new PreseedFinding(first, 1, PreseedSeverity.Warning,
                $"{(carriageReturns == 1 ? "A line ends" : $"{carriageReturns} lines end")} in CR LF, as on Windows; "
                + "the installer drops the CR, debconf-set-selections of an installed system takes it for a part of the value.",
                "Save the file with LF line ends, for example: sed -i 's/\\r$//' FILE"));
        }
    }
}
