using System.Globalization;
using System.Text;

namespace Virtigo.Appliances;

/// <summary>An account of a person, as a spec can say it.</summary>
internal sealed record InferredAccount(string Name, string FullName, int Uid, string Shell, IReadOnlyList<string> Groups, string? Sudo, string? PasswordHash, IReadOnlyList<string> SshKeys)
{
    private static readonly string[] s_ofTheFirst = ["audio", "bluetooth", "cdrom", "dip", "floppy", "lpadmin", "netdev", "plugdev", "render", "scanner", "users", "video"];

    /// <summary>Whether it is as the installer makes the first account, which is what a spec's <c>user</c> is.</summary>
    public bool IsFirst => Uid == 1000 && FullName.Length == 0 && Shell == "/bin/bash" && Sudo == (PasswordHash is null ? "nopasswd" : "true") && (PasswordHash is not null || SshKeys.Count > 0)
        && Groups.Contains("cdrom") && Groups.Contains("plugdev") && Groups.All(s_ofTheFirst.Contains);
}

/// <summary>Reads the accounts of people from a machine's files.</summary>
/// <param name="files">The files.</param>
/// <param name="hashes">Whether hashes of passwords are wanted.</param>
/// <param name="notes">What cannot be said is added here.</param>
internal sealed class InferredAccounts(IFileTree files, bool hashes, List<string> notes)
{
    private const int MostBytes = 4 << 20;
    private const int MostAccounts = 200;
    private const int FirstOfPeople = 1000;
    private const int LastOfPeople = 60000;

    /// <summary>The accounts, in the order of their numbers.</summary>
    public IEnumerable<InferredAccount> Read()
    {
        var groups = Rows("/etc/group", 4).ToList();
        var shadow = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string[] row in hashes ? Rows("/etc/shadow", 2) : [])
        {
            shadow[row[0]] = row[1];
        }

        string[] free = [.. files.List("/etc/sudoers.d").SelectMany(name => Text($"/etc/sudoers.d/{name}").Split('\n')).Where(line => line.Contains("NOPASSWD:", StringComparison.Ordinal))
            .Select(line => line.Split([' ', '\t'], 2)[0])];
        var found = new List<InferredAccount>();
        foreach (string[] row in Rows("/etc/passwd", 7))
        {
            if (!int.TryParse(row[2], NumberStyles.None, CultureInfo.InvariantCulture, out int uid) || uid is < FirstOfPeople or > LastOfPeople)
            {
                continue;
            }

            string name = row[0], full = row[4].Split(',')[0];
            if (ValueChecks.UserName(name) is not null || found.Count == MostAccounts || found.Any(other => other.Name == name || other.Uid == uid))
            {
                notes.Add($"users: {SpecProblems.Quote(name)} cannot be said in a spec.");
                continue;
            }

            string[] memberships = [.. groups.Where(group => group[3].Split(',').Contains(name) && group[0] != name && ValueChecks.AccountName(group[0]) is null).Select(group => group[0]).Distinct().Take(100)];
            string? hash = shadow.GetValueOrDefault(name) is { } written && ValueChecks.PasswordHash(written) is null ? written : null;
            string? sudo = free.Contains(name) ? "nopasswd" : memberships.Contains("sudo") ? "true" : null;
            found.Add(new InferredAccount(name, ValueChecks.FullName(full) is null && full != name ? full : "", uid, ValueChecks.Shell(row[6]) is null ? row[6] : "/bin/bash",
                [.. memberships.Where(group => group != "sudo")], sudo, hash, Keys(name, row[5])));
        }

        return found.OrderBy(account => account.Uid);
    }

    /// <summary>The groups that are made for people, and not for one account.</summary>
    public static IEnumerable<(string Name, int Gid)> Groups(IFileTree files, IReadOnlyList<InferredAccount> accounts) =>
        new InferredAccounts(files, false, []).Rows("/etc/group", 4)
            .Select(row => (Name: row[0], Gid: int.TryParse(row[2], NumberStyles.None, CultureInfo.InvariantCulture, out int gid) ? gid : 0))
            .Where(group => group.Gid is >= FirstOfPeople and <= LastOfPeople && ValueChecks.AccountName(group.Name) is null && accounts.All(account => account.Name != group.Name))
            .DistinctBy(group => group.Name).DistinctBy(group => group.Gid).Take(MostAccounts);

    private string[] Keys(string name, string home)
    {
        string[] lines = [.. Text($"{home}/.ssh/authorized_keys").Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#')];
        if (lines.Any(line => ValueChecks.SshKey(line) is not null) || lines.Length > 64)
        {
            notes.Add($"users: {name} has ssh keys with options, or more than 64: only plain ones are here.");
        }

        return [.. lines.Where(line => ValueChecks.SshKey(line) is null).Distinct().Take(64)];
    }

    private string Text(string path) => files.Read(path, MostBytes) is { } bytes ? Encoding.UTF8.GetString(bytes) : "";

    private IEnumerable<string[]> Rows(string path, int least) => Text(path).Split('\n').Select(line => line.Split(':')).Where(row => row.Length >= least);
}
