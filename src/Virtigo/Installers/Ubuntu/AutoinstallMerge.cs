namespace Virtigo.Installers.Ubuntu;

/// <summary>Puts what a person wrote for the installer together with what follows from the rest of a spec. Neither silently wins.</summary>
internal static class AutoinstallMerge
{
    /// <summary>Lists that both sides add to: what a person wrote comes first.</summary>
    private static readonly HashSet<string> s_together = ["packages", "early-commands", "late-commands", "error-commands", "ssh.authorized-keys", "apt.preferences"];

    /// <summary>Mappings that are one thing: parts of two do not fit together.</summary>
    private static readonly HashSet<string> s_whole = ["storage"];

    /// <summary>Merges.</summary>
    /// <param name="ours">What follows from the spec.</param>
    /// <param name="theirs">What a person wrote.</param>
    /// <param name="findings">Told of everything that both say differently.</param>
    public static AutoinstallMap Merge(AutoinstallMap ours, AutoinstallMap theirs, ICollection<AutoinstallFinding> findings) => Merge(ours, theirs, "", "", findings);

    private static AutoinstallMap Merge(AutoinstallMap ours, AutoinstallMap theirs, string path, string from, ICollection<AutoinstallFinding> findings)
    {
        var merged = new List<AutoinstallEntry>();
        foreach (AutoinstallEntry our in ours.Entries)
        {
            AutoinstallEntry? their = theirs.Find(our.Key);
            merged.Add(their is null ? our : Merge(our, their, path + our.Key, our.Place.Length > 0 ? our.Place : from, findings));
        }

        merged.AddRange(theirs.Entries.Where(their => ours.Find(their.Key) is null));
        return new AutoinstallMap(merged);
    }

    private static AutoinstallEntry Merge(AutoinstallEntry our, AutoinstallEntry their, string path, string from, ICollection<AutoinstallFinding> findings)
    {
        if (our.GivesWay)
        {
            return their;
        }

        switch (our.Value, their.Value)
        {
            case (AutoinstallMap one, AutoinstallMap two) when !s_whole.Contains(path):
                return our with { Value = Merge(one, two, path + ".", from, findings) };
            case (AutoinstallList one, AutoinstallList two) when s_together.Contains(path):
                return our with { Value = new AutoinstallList([.. two.Items, .. one.Items]), Reason = Both(our.Reason, their.Place) };
            default:
                if (!our.Value.Says(their.Value))
                {
                    findings.Add(new AutoinstallFinding(their.Place,
                        $"autoinstall: {path} is decided already, by {(from.Length > 0 ? from : "what Virtigo needs of the installer")}; keep one of the two"));
                }

                return our;
        }
    }

    private static string Both(string reason, string place) => $"{reason} Those of {place} come first.".TrimStart();
}
