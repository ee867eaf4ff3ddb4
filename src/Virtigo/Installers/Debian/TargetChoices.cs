using System.Globalization;
using System.Security.Cryptography;

namespace Virtigo.Installers.Debian;

/// <summary>What a <see cref="TargetEntry"/> is.</summary>
internal enum TargetEntryKind
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A symbolic link.</summary>
    Link,
}

/// <summary>A file, folder or link of the installed system.</summary>
/// <param name="Path">The absolute path, without <c>.</c> and <c>..</c>.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Mode">Permissions; a link has none.</param>
/// <param name="Content">A file's content, or what a link says as UTF-8.</param>
/// <param name="Owner">An account of the installed system, or a number.</param>
/// <param name="Group">A group of the installed system, or a number.</param>
internal sealed record TargetEntry(
    string Path, TargetEntryKind Kind, UnixFileMode Mode, ReadOnlyMemory<byte> Content, string Owner = "root", string Group = "root");

/// <summary>A group to make.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Gid">Its number; null for the next free one.</param>
/// <param name="System">Whether it is one of the system's.</param>
internal sealed record TargetGroup(string Name, int? Gid, bool System);

/// <summary>How an account may become root.</summary>
internal enum SudoRight
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>With its own password.</summary>
    Password,

    /// <summary>Without a password.</summary>
    NoPassword,
}

/// <summary>An account to make beside the first user.</summary>
internal sealed record TargetUser
{
    /// <summary>The login name.</summary>
    public required string Name { get; init; }

    /// <summary>The name in words; may be empty.</summary>
    public string FullName { get; init; } = "";

    /// <summary>The number; null for the next free one.</summary>
    public int? Uid { get; init; }

    /// <summary>The login shell's absolute path.</summary>
    public string Shell { get; init; } = "/bin/bash";

    /// <summary>Further groups, which exist once the packages are installed.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>How it may become root.</summary>
    public SudoRight Sudo { get; init; }

    /// <summary>The password's crypt(3) hash; null locks the password.</summary>
    public string? PasswordHash { get; init; }

    /// <summary>Public keys that may log in.</summary>
    public IReadOnlyList<string> SshKeys { get; init; } = [];

    /// <summary>The account without its hash.</summary>
    public override string ToString() => Name;
}

/// <summary>A package's question answered before the package is installed.</summary>
/// <param name="Package">The package.</param>
/// <param name="Question">The question's debconf name.</param>
/// <param name="Type">The question's debconf type.</param>
/// <param name="Value">The answer; one line.</param>
/// <param name="Digest">Stands for the value in fingerprints: the value itself, or a keyed hash of a secret one.</param>
internal sealed record DebconfSelection(string Package, string Question, string Type, string Value, string Digest)
{
    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret => Type == "password";

    /// <summary>The selection without a secret value.</summary>
    public override string ToString() => $"{Package} {Question} {Type} {(Secret ? "***" : Value)}";
}

/// <summary>A repository that is not the distribution's.</summary>
/// <param name="Name">The name of its files: lower-case letters, digits and hyphens.</param>
/// <param name="Url">Its root; ends in a slash.</param>
/// <param name="Suites">Its suites in use.</param>
/// <param name="Components">Its components in use.</param>
/// <param name="Key">The key that signs it, and only it: binary or ASCII-armoured.</param>
internal sealed record TargetRepository(
    string Name, Uri Url, IReadOnlyList<string> Suites, IReadOnlyList<string> Components, ReadOnlyMemory<byte> Key)
{
    /// <summary>Whether the key is text.</summary>
    public bool IsArmoured => Key.Length > 0 && Key.Span[0] == (byte)'-';

    /// <summary>Where apt finds the key in the installed system.</summary>
    public string KeyPath => $"/etc/apt/keyrings/{Name}.{(IsArmoured ? "asc" : "gpg")}";

    /// <summary>Where apt finds the repository in the installed system.</summary>
    public string SourcePath => $"/etc/apt/sources.list.d/{Name}.sources";
}

/// <summary>A preference among versions.</summary>
/// <param name="Packages">Package names, with <c>*</c> for anything.</param>
/// <param name="Pin">The versions it is about, as apt writes it: <c>version 1.2*</c>.</param>
/// <param name="Priority">The priority, as in apt_preferences(5).</param>
internal sealed record TargetPin(IReadOnlyList<string> Packages, string Pin, int Priority);

/// <summary>A command to run in the installed system.</summary>
/// <param name="Text">A script for <c>/bin/sh</c>.</param>
/// <param name="Origin">Where it was written, for messages.</param>
internal sealed record TargetCommand(string Text, string Origin);

/// <summary>What is done in the target beside the installer's own steps.</summary>
internal sealed record TargetChoices
{
    /// <summary>Nothing.</summary>
    public static TargetChoices None { get; } = new();

    /// <summary>Files of the installed system, folders before what is in them.</summary>
    public IReadOnlyList<TargetEntry> Files { get; init; } = [];

    /// <summary>Groups to make.</summary>
    public IReadOnlyList<TargetGroup> Groups { get; init; } = [];

    /// <summary>Accounts to make.</summary>
    public IReadOnlyList<TargetUser> Users { get; init; } = [];

    /// <summary>Units to enable.</summary>
    public IReadOnlyList<string> EnabledUnits { get; init; } = [];

    /// <summary>Units to disable.</summary>
    public IReadOnlyList<string> DisabledUnits { get; init; } = [];

    /// <summary>Units to mask.</summary>
    public IReadOnlyList<string> MaskedUnits { get; init; } = [];

    /// <summary>The script that makes the settings of the hypervisors' profiles, once packages are installed and before files are written; empty for none.</summary>
    public string Profile { get; init; } = "";

    /// <summary>Commands at the end of the install.</summary>
    public IReadOnlyList<TargetCommand> Run { get; init; } = [];

    /// <summary>Commands at the first boot.</summary>
    public IReadOnlyList<TargetCommand> FirstBoot { get; init; } = [];

    /// <summary>How many commands at the first boot come before these, from appliances that this one builds on.</summary>
    public int FirstBootBefore { get; init; }

    /// <summary>Answers to questions of packages.</summary>
    public IReadOnlyList<DebconfSelection> Debconf { get; init; } = [];

    /// <summary>Repositories beside the distribution's.</summary>
    public IReadOnlyList<TargetRepository> Repositories { get; init; } = [];

    /// <summary>Preferences among versions.</summary>
    public IReadOnlyList<TargetPin> Pins { get; init; } = [];

    /// <summary>The archive of backports and its suite, or null.</summary>
    public (Uri Archive, string Suite)? Backports { get; init; }

    /// <summary>Whether recommended packages are installed too, now and later.</summary>
    public bool Recommends { get; init; }

    /// <summary>Whether the installed system updates itself.</summary>
    public bool AutomaticUpdates { get; init; }

    /// <summary>The network.</summary>
    public TargetNetwork Network { get; init; } = TargetNetwork.None;

    /// <summary>Whether there is nothing to do.</summary>
    public bool IsNothing =>
        Files.Count + Groups.Count + Users.Count + EnabledUnits.Count + DisabledUnits.Count + MaskedUnits.Count + Run.Count + FirstBoot.Count
        + Debconf.Count + Repositories.Count + Pins.Count == 0
        && Profile.Length == 0 && Network.IsNothing && Backports is null && !Recommends && !AutomaticUpdates;

    /// <summary>The choices as keys with their items, in a fixed order, without the keys that say nothing: equal choices give equal lists.</summary>
    public IEnumerable<(string Key, IReadOnlyList<string> Items)> Canonical()
    {
        static string Number(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
        static string Hash(ReadOnlyMemory<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
        static IReadOnlyList<string> Counted(IReadOnlyList<string> items) => [Number(items.Count), .. items];

        IEnumerable<(string, IReadOnlyList<string>)> all =
        [
            ("files", [.. Files.SelectMany(entry => (string[])
                [entry.Path, entry.Kind.ToString(), Number((int)entry.Mode), entry.Owner, entry.Group, Hash(entry.Content)])]),
            ("groups", [.. Groups.SelectMany(group => (string[])[group.Name, Number(group.Gid), group.System ? "system" : ""])]),
            ("users", [.. Users.SelectMany(user => (IReadOnlyList<string>)
                [user.Name, user.FullName, Number(user.Uid), user.Shell, user.Sudo.ToString(), user.PasswordHash ?? "", .. Counted(user.Groups), .. Counted(user.SshKeys)])]),
            ("units.enable", EnabledUnits),
            ("units.disable", DisabledUnits),
            ("units.mask", MaskedUnits),
            ("run", [.. Run.Select(command => command.Text)]),
            ("first-boot", [.. FirstBoot.Select(command => command.Text)]),
            ("debconf", [.. Debconf.SelectMany(answer => (string[])[answer.Package, answer.Question, answer.Type, answer.Digest])]),
            ("repositories", [.. Repositories.SelectMany(repository => (IReadOnlyList<string>)
                [repository.Name, repository.Url.AbsoluteUri, .. Counted(repository.Suites), .. Counted(repository.Components), Hash(repository.Key)])]),
            ("pins", [.. Pins.SelectMany(pin => (IReadOnlyList<string>)[.. Counted(pin.Packages), pin.Pin, Number(pin.Priority)])]),
            ("backports", Backports is { } backports ? [backports.Archive.AbsoluteUri, backports.Suite] : []),
            ("recommends", Recommends ? ["true"] : []),
            ("network", Network.Canonical()),
            ("updates", AutomaticUpdates ? ["automatic"] : []),
            ("profile", Profile.Length > 0 ? [Profile] : []),
        ];
        return all.Where(one => one.Item2.Count > 0);
    }
}
