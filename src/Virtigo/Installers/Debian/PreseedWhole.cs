namespace Virtigo.Installers.Debian;

/// <summary>Checks the answers of a preseed file against each other.</summary>
internal static class PreseedWhole
{
    private static readonly string[] s_powerOff = ["debian-installer/exit/poweroff", "debian-installer/exit/halt"];

    /// <summary>Adds what is wrong with the answers together.</summary>
    public static void Check(IReadOnlyList<PreseedLine> entries, List<PreseedFinding> findings)
    {
        if (entries.Count == 0 && findings.Count == 0)
        {
            findings.Add(new PreseedFinding(1, 1, PreseedSeverity.Warning, "There is no answer in it, so the installer asks everything.",
                "An answer is a line such as: d-i netcfg/get_hostname string web"));
        }

        Duplicates(entries, findings);
        if (entries.Count > 0 && !entries.Any(e => s_powerOff.Contains(e.Question) && e.Value.Trim() == "true"))
        {
            findings.Add(new PreseedFinding(entries[^1].Line, 1, PreseedSeverity.Note,
                "At its end the machine reboots instead of switching off, so that its end cannot be told from a crash.",
                "Write: d-i debian-installer/exit/poweroff boolean true"));
        }

        PreseedLine? rootLogin = entries.LastOrDefault(e => e.Question == "passwd/root-login");
        PreseedLine? makeUser = entries.LastOrDefault(e => e.Question == "passwd/make-user");
        if (rootLogin?.Value.Trim() == "false" && makeUser?.Value.Trim() == "false")
        {
            findings.Add(new PreseedFinding(makeUser.Line, makeUser.Column(3), PreseedSeverity.Error,
                $"With root locked (line {rootLogin.Line}) the installer makes a user whatever this says, and asks for its name.",
                "Answer passwd/username and the user's password, or lock root with: d-i passwd/root-password-crypted password *"));
        }
    }

    private static void Duplicates(IReadOnlyList<PreseedLine> entries, List<PreseedFinding> findings)
    {
        var first = new Dictionary<(string, bool), PreseedLine>();
        foreach (PreseedLine entry in entries)
        {
            if (first.TryAdd((entry.Question, entry.Type == "seen"), entry))
            {
                continue;
            }

            PreseedLine earlier = first[(entry.Question, entry.Type == "seen")];
            bool isCommand = entry.Question.EndsWith("_command", StringComparison.Ordinal);
            findings.Add(new PreseedFinding(entry.Line, entry.Column(1), PreseedSeverity.Error,
                $"{PreseedForm.Shown(entry.Question)} is answered in line {earlier.Line} already; only this last answer counts.",
                isCommand ? "Join the commands with ';' in one line." : "Keep one of the two lines."));
        }
    }
}
