using System.Text.RegularExpressions;

namespace Virtigo.Installers.Debian;

internal static partial class DebianAnswers
{
    /// <summary>
    /// A password no input matches. A root password of "!" is how the installer marks an unanswered one and makes it ask;
    /// "*" is what the base system has, and what sshd does not take for a disabled account when a key is offered.
    /// </summary>
    private const string NoPassword = "*";

    private static Answer[] FirstAccounts() =>
    [
        Boolean("passwd/root-login", true, "Without a user the installer insists on root's password being answered; the next answer locks it."),
        Password("passwd/root-password-crypted", NoPassword, "Nobody logs in yet: no password matches this.", secret: false),
        Boolean("passwd/make-user", false, "The appliance's accounts come later."),
    ];

    private static IEnumerable<Answer> Accounts(DebianChoices plan) =>
        plan.User.Value is { } user
            ? [.. Root(plan, canBecomeRoot: true), .. User(plan, user)]
            : [.. Root(plan, canBecomeRoot: false), Boolean("passwd/make-user", false, $"No user is asked for ({plan.User.Origin}).")];

    private static IEnumerable<Answer> Root(DebianChoices plan, bool canBecomeRoot)
    {
        string? hash = plan.RootPasswordHash.Value;
        string from = plan.RootPasswordHash.Origin;
        if (hash is null && canBecomeRoot)
        {
            yield return Boolean("passwd/root-login", false,
                $"Root is locked ({from}): the installer gives the first user sudo instead.");
            yield break;
        }

        yield return Boolean("passwd/root-login", true, hash is null
            ? "Without a user the installer insists on root's password being answered; the next answer locks it."
            : $"Root may log in ({from}).");
        yield return hash is null
            ? Password("passwd/root-password-crypted", NoPassword, $"Root is locked ({from}): no password matches this.", secret: false)
            : Password("passwd/root-password-crypted", CryptHash(hash, "root"), $"The hash of root's password ({from}).", secret: true);
    }

    private static Answer[] User(DebianChoices plan, DebianUser user) =>
    [
        Boolean("passwd/make-user", true, $"The first user ({plan.User.Origin})."),
        Text("passwd/user-fullname", user.FullName.Length > 0 ? user.FullName : user.Name, "The user's name in words."),
        Text("passwd/username", UserName(user.Name, plan.User.Origin), "The user's login name."),
        user.PasswordHash is { } hash
            ? Password("passwd/user-password-crypted", CryptHash(hash, user.Name), "The hash of the user's password.", secret: true)
            : Password("passwd/user-password-crypted", NoPassword, "The user logs in with a key: no password matches this.", secret: false),
    ];

    private static Answer Password(string question, string value, string reason, bool secret) =>
        new(Installer, question, "password", value, reason, secret);

    private static string CryptHash(string hash, string account) => HashPattern().IsMatch(hash)
        ? hash
        : throw new VirtigoException(FailureKind.Usage, $"The password hash of {account} is not in the form of crypt(3).",
            "Make one with: openssl passwd -6");

    private static string UserName(string name, string origin)
    {
        if (!UserPattern().IsMatch(name) || ReservedUserNames.Contains(name))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"debian-installer does not accept the user name \"{name}\" (from {origin}): "
                + (ReservedUserNames.Contains(name)
                    ? "the system uses it itself."
                    : "it is not up to 32 lower-case letters, digits, '-' and '_', a letter first."),
                "Choose another name, for example admin1.");
        }

        return name;
    }

    [GeneratedRegex(@"\A\$[A-Za-z0-9]+\$[\x21-\x39\x3b-\x7e]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex HashPattern();

    [GeneratedRegex(@"\A[a-z][a-z0-9_\-]{0,31}\z", RegexOptions.CultureInvariant)]
    private static partial Regex UserPattern();
}
