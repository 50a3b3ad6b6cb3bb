import java.sql.DriverManager;
import java.sql.SQLException;

/** Makes the table that Tomcat's documentation shows (config/manager.html, Data source Based Store). */
final class CreateTable {
    public static void main(String[] arguments) throws SQLException {
        try (var connection = DriverManager.getConnection(
                System.getenv("DB_URL"), System.getenv("DB_USER"), System.getenv("DB_PASSWORD"))) {
            connection.createStatement().execute("""
                    create table tomcat_sessions (
                      session_id     varchar(100) not null primary key,
                      valid_session  char(1) not null,
                      max_inactive   int not null,
                      last_access    bigint not null,
                      app_name       varchar(255),
                      session_data   mediumblob,
                      KEY kapp_name(app_name)
                    )""");
        }
    }
}
